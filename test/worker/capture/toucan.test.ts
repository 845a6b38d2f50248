import { captureContract } from './contract.ts'

captureContract()
