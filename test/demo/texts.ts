/** The texts of the demo, one object per language: texts-en.ts, texts-zh.ts. */
import { type Arbiter } from '../lab/arbiter.ts'
import { type LabNode } from '../lab/address-plan.ts'
import { type Language } from './language.ts'
import { type Actor, type Fact } from './story.ts'
import { en } from './texts-en.ts'
import { zh } from './texts-zh.ts'
import { type Broken } from './verdict.ts'

export interface Texts {
  readonly title: string
  readonly intro: string
  readonly building: string
  readonly sudo: string
  readonly noSudo: (command: string) => string
  readonly packagesFailed: string
  readonly booting: string
  readonly warm: (seconds: string) => string
  readonly blocked: string
  readonly admitted: string
  readonly pair: Readonly<Record<Arbiter, string>>
  readonly live: {
    readonly splits: (node: LabNode) => string
    readonly ends: (node: LabNode, split: string) => string
    readonly gained: (node: LabNode) => string
    readonly lost: (node: LabNode) => string
  }
  readonly chapters: { readonly alone: string; readonly witness: string; readonly compared: string }
  readonly marks: { readonly blocked: string; readonly admitted: string }
  readonly legend: string
  readonly client: string
  readonly actors: Readonly<Record<Actor, string>>
  readonly fact: (fact: Fact) => string
  readonly sources: string
  readonly table: {
    readonly overlap: string
    readonly wrong: string
    readonly of: (count: number, total: number) => string
    readonly darkDuring: string
    readonly darkAfter: string
    readonly outage: string
    readonly owner: string
    readonly nobody: string
    readonly both: string
  }
  readonly loserStory: (state: string) => string
  readonly proved: string
  readonly broken: string
  readonly brokenPromise: (broken: Broken) => string
  readonly keep: {
    readonly intro: string
    readonly status: string
    readonly events: string
    readonly page: string
    readonly owners: string
    readonly block: string
    readonly admit: string
    readonly inside: string
    readonly end: string
    readonly logs: (path: string) => string
  }
  readonly ended: string
  readonly failed: (reason: string) => string
}

const texts: Readonly<Record<Language, Texts>> = { en, zh }

export function textsIn(language: Language): Texts {
  return texts[language]
}
