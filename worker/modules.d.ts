// wrangler compiles WebAssembly ahead of time: at run time Workers forbid it.
declare module '*.wasm' {
  const module: WebAssembly.Module
  export default module
}
