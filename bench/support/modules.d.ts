declare module 'workerd' {
  const workerd: {
    /** The path of the workerd binary for this machine. */
    readonly default: string
  }
  export default workerd
}
