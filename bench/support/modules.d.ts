declare module 'workerd' {
  /** The path of the workerd binary for this machine. */
  const path: string
  export default path
}
