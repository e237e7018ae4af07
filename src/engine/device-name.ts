/** Devices of ONNX Runtime. */
export const deviceNames = ['cpu', 'webgpu', 'cuda'] as const;
export type DeviceName = (typeof deviceNames)[number];

/** Requirements of each device. */
export const deviceNeeds: Record<DeviceName, string> = {
  cpu: 'Check that onnxruntime-node is installed for this platform: npm ls onnxruntime-node.',
  webgpu:
    'WebGPU needs a Vulkan driver that sees a GPU (vulkaninfo --summary lists them): the GPU maker’s, or Debian’s ' +
    'mesa-vulkan-drivers, which also brings a software one for tests. RAFIKI_DEVICE=cpu needs nothing.',
  cuda:
    'CUDA needs an NVIDIA GPU with its driver, CUDA 12 and cuDNN 9 on the library path, and ONNX Runtime’s CUDA ' +
    'libraries: npm run setup:cuda. RAFIKI_DEVICE=cpu needs nothing.',
};
