import { ours } from './ours.ts'

export default ours()
