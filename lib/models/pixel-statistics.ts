// What models normalise pixels by unless their weights say otherwise: the ImageNet statistics of pixels in [0, 1], by
// colour channel (spec 4.10).

export const imageNetMean: readonly number[] = [0.485, 0.456, 0.406];
export const imageNetStd: readonly number[] = [0.229, 0.224, 0.225];
