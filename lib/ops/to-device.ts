// A tensor's elements on another device, and its gradient back on the first.
import { defineOp } from "../autograd/define-op.js";
import type { Device } from "../tensor/dtype.js";
import { sameDevice, type Tensor } from "../tensor/tensor.js";

/**
 * x on a device; x's memory itself when it is there already. Any dtype.
 * @throws VideomaeError when there is no such device
 */
export const toDevice: (x: Tensor, device: Device) => Tensor = defineOp("toDevice", (_save, x, device) => {
  const from = x.device;
  return [x.to(device), (gradY) => [gradY.to(from)]];
});

/** x where it is on the device, and a copy there where it is not. */
export function moved(x: Tensor, device: Device): Tensor {
  return sameDevice(x.device, device) ? x : toDevice(x, device);
}
