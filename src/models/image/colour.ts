/** Factors of a change of colours; 1 is no change. */
export interface Recolouring {
  brightness: number;
  contrast: number;
  saturation: number;
}

/** Weights of red, green and blue in the perceived brightness (ITU-R BT.601). */
const luma = [0.299, 0.587, 0.114] as const;

/** The brightness that contrast does not change. */
const middle = 128;

/**
 * Changes an image [3, H, W] of bytes in place. With l the pixel's luma: saturation maps x to s·x + (1 − s)·l, contrast the
 * result to c·(x − 128) + 128, brightness that to b·x. In one pass: x ↦ bcs·x + bc(1 − s)·l + 128·b(1 − c).
 */
export function recolour(image: Uint8Array, { brightness, contrast, saturation }: Recolouring): void {
  const pixels = new Uint8ClampedArray(image.buffer, image.byteOffset, image.length); // rounds, and clamps to 0…255
  const plane = image.length / 3;
  const gain = brightness * contrast * saturation;
  const shared = brightness * contrast * (1 - saturation);
  const constant = middle * brightness * (1 - contrast);
  for (let i = 0; i < plane; i++) {
    const red = pixels[i] as number;
    const green = pixels[plane + i] as number;
    const blue = pixels[2 * plane + i] as number;
    const base = shared * (luma[0] * red + luma[1] * green + luma[2] * blue) + constant;
    pixels[i] = base + gain * red;
    pixels[plane + i] = base + gain * green;
    pixels[2 * plane + i] = base + gain * blue;
  }
}
