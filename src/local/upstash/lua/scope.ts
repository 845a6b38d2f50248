/** Where a name is found at run time. */
export type Place =
  | { readonly kind: 'local'; readonly slot: number }
  | { readonly kind: 'upvalue'; readonly index: number }
  | { readonly kind: 'global' }

/** The names of one function while it is compiled. */
export class FunctionScope {
  readonly parent: FunctionScope | undefined
  readonly isVararg: boolean
  /** Where the boxes of the upvalues come from when a closure is made. */
  readonly captures: { readonly fromParentSlot: boolean; readonly index: number }[] = []
  /** Depth of loops around the current statement. */
  loops = 0
  readonly #active: { name: string; slot: number }[] = []
  #slots = 0

  constructor(parent: FunctionScope | undefined, isVararg: boolean) {
    this.parent = parent
    this.isVararg = isVararg
  }

  /** Makes a name visible from here on; returns its slot. */
  declare(name: string): number {
    const slot = this.#slots++
    this.#active.push({ name, slot })
    return slot
  }

  /** Marks the beginning of a block; hand the mark to {@link close}. */
  open(): number {
    return this.#active.length
  }

  /** Forgets the names of a block. */
  close(mark: number): void {
    this.#active.length = mark
  }

  find(name: string): Place {
    const local = this.#active.findLast((variable) => variable.name === name)
    if (local) return { kind: 'local', slot: local.slot }
    const outer = this.parent?.find(name)
    if (outer === undefined || outer.kind === 'global') return { kind: 'global' }
    const fromParentSlot = outer.kind === 'local'
    const index = outer.kind === 'local' ? outer.slot : outer.index
    const same = this.captures.findIndex(
      (capture) => capture.fromParentSlot === fromParentSlot && capture.index === index,
    )
    if (same >= 0) return { kind: 'upvalue', index: same }
    this.captures.push({ fromParentSlot, index })
    return { kind: 'upvalue', index: this.captures.length - 1 }
  }
}
