/**
 * The worker of a page, whose GPU can be lost on demand: whoever says so on the channel `gpu` is answered once the device is
 * going to be destroyed in the middle of the next run. With `?real` the adapter does not say that it is software, so that
 * `auto` takes it.
 */

import "../../../edge/adapter/browser/worker.ts";

const request = GPUAdapter.prototype.requestDevice;
let device: GPUDevice | undefined;
GPUAdapter.prototype.requestDevice = async function (descriptor) {
  return device = await request.call(this, descriptor);
};

if (new URL(import.meta.url).searchParams.has("real")) {
  const info = { vendor: "a vendor", architecture: "", device: "", description: "" };
  Object.defineProperty(GPUAdapter.prototype, "info", { value: info });
}

const channel = new BroadcastChannel("gpu");
channel.onmessage = () => {
  const original = device?.createBindGroup.bind(device);
  Object.defineProperty(device, "createBindGroup", {
    value(descriptor: GPUBindGroupDescriptor) {
      device?.destroy();
      return original?.(descriptor);
    },
  });
  channel.postMessage("it will be lost");
};
