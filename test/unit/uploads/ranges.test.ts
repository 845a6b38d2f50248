import { it } from 'vitest'
import { proveRanges } from './range-proof.ts'

it('serves every range as a model of RFC 9110 does, byte for byte', () => proveRanges(500), 60_000)
