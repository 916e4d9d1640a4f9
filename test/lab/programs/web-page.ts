/** Serves, on every address of its host, a page that says which host it is. Arguments: name, port. */
import { createServer } from 'node:http'

const [name = '', port = ''] = process.argv.slice(2)
createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', connection: 'close' }).end(name)
}).listen(Number(port), '0.0.0.0')
