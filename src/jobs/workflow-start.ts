import type { Claim } from './lease.ts'

/** What a workflow is started with: which job, and the fence. No payload. */
export interface WorkflowParams {
  readonly id: string
  readonly token: string
}

/** The part of a Workflows binding that jobs use. */
export interface WorkflowBinding {
  create(options: { id: string; params: WorkflowParams }): Promise<unknown>
}

/** Until a workflow has begun, its job is held no longer than this, in milliseconds. */
export const START_LEASE = 300_000

/** Starts the workflow of one attempt. */
export async function startWorkflow(
  { workflow }: { readonly workflow: WorkflowBinding | undefined },
  claim: Claim,
): Promise<void> {
  if (workflow === undefined) throw new TypeError('createJobs was given no workflow')
  await workflow.create({ id: `${claim.id}-${claim.token}`, params: { id: claim.id, token: claim.token } })
}
