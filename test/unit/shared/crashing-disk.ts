/**
 * A disk in memory that can lose its power, for files that must survive it. What POSIX promises and no more: content is
 * on the disk after an fsync of the file, a name after an fsync of its folder. Before that anything may be there: the
 * old content, the new one, a part of it, zeros; names in any combination of the changes since.
 */
import { basename, dirname } from 'node:path'
import type { FileHandle, FileSystem } from '../../../shared/disk/durable-file.ts'

interface File {
  readonly kind: 'file'
  synced: string
  /** What it was since then, the newest last. */
  unsynced: string[]
}
interface Folder {
  readonly kind: 'folder'
  readonly synced: Map<string, Node>
  readonly entries: Map<string, Node>
  /** Changes of `entries` since they were synced. */
  changes: Change[]
}
type Node = File | Folder
type Change =
  | { readonly type: 'link'; readonly name: string; readonly node: Node }
  | { readonly type: 'rename'; readonly from: string; readonly to: string }
  | { readonly type: 'unlink'; readonly name: string }

/** A number below `options`: which of the states that a loss of power may leave. */
export type Choose = (options: number) => number

/** The process has died in this call; none of its later calls comes through either. */
export class ProcessDied extends Error {}

export class CrashingDisk implements FileSystem {
  /** Calls so far, over all processes. */
  calls = 0
  /** With this call the process dies, before the call does anything. */
  diesAt = Infinity
  /** This call fails with `errno`, and does nothing. */
  failsAt = Infinity
  errno = 'EIO'
  /** A disk that says "synced" and is not. */
  lies = false
  #root = newFolder()
  #dead = false

  /** Another process starts on what this one has left; the kernel and its cache live on. */
  restartProcess(): void {
    this.#dead = false
    this.diesAt = Infinity
  }

  /** The power is gone, and comes back. */
  losePower(choose: Choose): void {
    this.#root = folderAfterLoss(this.#root, choose)
    this.restartProcess()
  }

  /** Paths and contents of all files. */
  files(): Map<string, string> {
    const found = new Map<string, string>()
    const walk = (folder: Folder, path: string): void => {
      for (const [name, node] of folder.entries)
        if (node.kind === 'folder') walk(node, `${path}/${name}`)
        else found.set(`${path}/${name}`, contentOf(node))
    }
    walk(this.#root, '')
    return found
  }

  /** The same disk once more, for another continuation. */
  copy(): CrashingDisk {
    const copy = new CrashingDisk()
    copy.lies = this.lies
    copy.#root = copyFolder(this.#root, new Map())
    return copy
  }

  async open(path: string, flags: string): Promise<FileHandle> {
    await this.#call()
    const node = flags === 'w' ? this.#create(path) : this.#find(path)
    return {
      writeFile: async (data) => {
        await this.#call()
        if (node.kind === 'file') node.unsynced.push(data)
      },
      sync: async () => {
        await this.#call()
        if (!this.lies) sync(node)
      },
      close: () => Promise.resolve(),
    }
  }

  async readFile(path: string): Promise<string> {
    await this.#call()
    const node = this.#find(path)
    if (node.kind === 'folder') throw errorOf('EISDIR')
    return contentOf(node)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call()
    this.#find(from)
    change(this.#folder(dirname(from)), { type: 'rename', from: basename(from), to: basename(to) })
  }

  async mkdir(path: string): Promise<string | undefined> {
    await this.#call()
    return this.#makeFolder(path)
  }

  async access(path: string): Promise<void> {
    await this.#call()
    this.#find(path)
  }

  async unlink(path: string): Promise<void> {
    await this.#call()
    this.#find(path)
    change(this.#folder(dirname(path)), { type: 'unlink', name: basename(path) })
  }

  #call(): Promise<void> {
    this.calls += 1
    if (this.calls >= this.diesAt) this.#dead = true
    if (this.#dead) return Promise.reject(new ProcessDied())
    return this.calls === this.failsAt ? Promise.reject(errorOf(this.errno)) : Promise.resolve()
  }

  /** @returns the topmost folder that was made */
  #makeFolder(path: string): string | undefined {
    if (path === '/') return undefined
    const topmost = this.#makeFolder(dirname(path))
    const parent = this.#folder(dirname(path))
    if (parent.entries.has(basename(path))) return topmost
    change(parent, { type: 'link', name: basename(path), node: newFolder() })
    return topmost ?? path
  }

  #create(path: string): Node {
    const folder = this.#folder(dirname(path))
    const known = folder.entries.get(basename(path))
    if (known === undefined) {
      const node: File = { kind: 'file', synced: '', unsynced: [] }
      change(folder, { type: 'link', name: basename(path), node })
      return node
    }
    if (known.kind === 'file') known.unsynced.push('')
    return known
  }

  #folder(path: string): Folder {
    const node = this.#find(path)
    if (node.kind === 'file') throw errorOf('ENOTDIR')
    return node
  }

  #find(path: string): Node {
    let node: Node = this.#root
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (node.kind === 'file') throw errorOf('ENOTDIR')
      const next: Node | undefined = node.entries.get(name)
      if (next === undefined) throw errorOf('ENOENT')
      node = next
    }
    return node
  }
}

/** Every state of a disk that has lost its power, one after the other, each only once. */
export function* everyLoss(disk: CrashingDisk): Generator<CrashingDisk> {
  const seen = new Set<string>()
  for (let path: { chosen: number; options: number }[] | null = []; path !== null; path = nextPath(path)) {
    const taken: { chosen: number; options: number }[] = []
    const after = disk.copy()
    const planned: readonly { chosen: number }[] = path
    after.losePower((options) => {
      const chosen = planned[taken.length]?.chosen ?? 0
      taken.push({ chosen, options })
      return chosen
    })
    path = taken
    const state = JSON.stringify([...after.files()].sort())
    if (seen.has(state)) continue
    seen.add(state)
    yield after
  }
}

function nextPath(
  path: readonly { chosen: number; options: number }[],
): { chosen: number; options: number }[] | null {
  const last = path.findLastIndex(({ chosen, options }) => chosen + 1 < options)
  if (last === -1) return null
  return path.slice(0, last + 1).map((step, i) => (i === last ? { ...step, chosen: step.chosen + 1 } : step))
}

function newFolder(): Folder {
  return { kind: 'folder', synced: new Map(), entries: new Map(), changes: [] }
}

function contentOf(file: File): string {
  return file.unsynced.at(-1) ?? file.synced
}

function sync(node: Node): void {
  if (node.kind === 'file') {
    node.synced = contentOf(node)
    node.unsynced = []
    return
  }
  node.synced.clear()
  for (const [name, entry] of node.entries) node.synced.set(name, entry)
  node.changes = []
}

function change(folder: Folder, change: Change): void {
  folder.changes.push(change)
  apply(folder.entries, change)
}

function apply(entries: Map<string, Node>, change: Change): void {
  switch (change.type) {
    case 'link':
      entries.set(change.name, change.node)
      return
    case 'rename': {
      const node = entries.get(change.from)
      // Its file never came to the disk under its first name.
      if (node === undefined) return
      entries.delete(change.from)
      entries.set(change.to, node)
      return
    }
    case 'unlink':
      entries.delete(change.name)
  }
}

function folderAfterLoss(folder: Folder, choose: Choose): Folder {
  const entries = new Map(folder.synced)
  for (const change of folder.changes) if (choose(2) === 0) apply(entries, change)
  const after = newFolder()
  for (const [name, node] of entries) {
    const left = node.kind === 'folder' ? folderAfterLoss(node, choose) : fileAfterLoss(node, choose)
    after.synced.set(name, left)
    after.entries.set(name, left)
  }
  return after
}

/** The synced content, or of each later one: cut off anywhere, or its length without its bytes. */
function fileAfterLoss(file: File, choose: Choose): File {
  let choice = choose(1 + file.unsynced.reduce((sum, content) => sum + content.length + 2, 0))
  let left = file.synced
  if (choice > 0) {
    choice -= 1
    for (const content of file.unsynced) {
      if (choice <= content.length) {
        left = content.slice(0, choice)
        break
      }
      if (choice === content.length + 1) {
        left = '\0'.repeat(content.length)
        break
      }
      choice -= content.length + 2
    }
  }
  return { kind: 'file', synced: left, unsynced: [] }
}

/** A file may stand under two names while only one of them is synced: it stays one file. */
function copyFolder(folder: Folder, copies: Map<Node, Node>): Folder {
  const copy = newFolder()
  copies.set(folder, copy)
  const copied = (node: Node): Node => {
    const known = copies.get(node)
    if (known !== undefined) return known
    const made = node.kind === 'folder' ? copyFolder(node, copies) : { ...node, unsynced: [...node.unsynced] }
    copies.set(node, made)
    return made
  }
  for (const [name, node] of folder.synced) copy.synced.set(name, copied(node))
  for (const [name, node] of folder.entries) copy.entries.set(name, copied(node))
  copy.changes = folder.changes.map((one) => (one.type === 'link' ? { ...one, node: copied(one.node) } : one))
  return copy
}

function errorOf(code: string): Error {
  return Object.assign(new Error(code), { code })
}
