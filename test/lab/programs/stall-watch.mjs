// Ticks, and prints when a tick was late: `MS LATE_MS`, the time of day and by how much. Ends with whoever started it.
const tickMs = 20
const tellFromMs = 60

let before = performance.now()
setInterval(() => {
  const now = performance.now()
  const lateMs = now - before - tickMs
  before = now
  if (lateMs >= tellFromMs) console.log(`${Date.now()} ${Math.round(lateMs)}`)
}, tickMs)
process.stdin.on('end', () => process.exit()).resume()
