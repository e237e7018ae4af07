/** A compiled module, which other threads may be given. */
export interface WasmCode {
  readonly compiled: unique symbol;
}

export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

/** The part of Node's WebAssembly that is used; TypeScript has its types only together with those of browsers. */
interface WasmRuntime {
  Memory: new (size: { initial: number; maximum: number; shared: true }) => WasmMemory;
  Module: new (bytes: Uint8Array) => WasmCode;
  Instance: new (code: WasmCode, imports: { env: { memory: WasmMemory } }) => { exports: Record<string, unknown> };
}

const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: WasmRuntime }).WebAssembly;

export const sharedMemory = (pages: number): WasmMemory => new Memory({ initial: pages, maximum: pages, shared: true });

export const compileWasm = (bytes: Uint8Array): WasmCode => new Module(bytes);

/** The functions that a module exports. */
export const wasmExports = (code: WasmCode, memory: WasmMemory): Record<string, unknown> =>
  new Instance(code, { env: { memory } }).exports;
