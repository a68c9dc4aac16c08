// One plausible call for every native op, of random small sizes: the starting point of the misuse test, which then breaks
// one thing or another. `draw` makes operands: real(shape), ints(shape, limit), bytes(shape), f64(shape), bf16(shape);
// `pick` chooses.

/** @returns {Record<string, () => Record<string, unknown>>} by op name */
export function nativeCalls({ real, ints, bytes, f64, bf16, pick, chance }) {
  const size = () => pick([0, 1, 1, 2, 3, 5, 17]);
  const some = () => pick([1, 2, 3, 5, 33]);
  const shape = () => Array.from({ length: pick([0, 1, 2, 3, 4, 8]) }, () => pick([1, 1, 2, 3, 0]));
  const maybe = (make) => (chance(0.5) ? make() : undefined);
  const skip = (...names) => (chance(0.3) ? names.filter(() => chance(0.5)) : undefined);
  const kind = (...words) => pick(words);
  /** Names of outputs to skip, and for some of the others a tensor to add to. */
  const sums = (shapes, ...more) => {
    const skipped = skip(...Object.keys(shapes), ...more);
    const added = Object.entries(shapes).filter(([name]) => !skipped?.includes(name) && chance(0.5));
    return { ...Object.fromEntries(added.map(([name, shape]) => [name, real(shape)])), skip: skipped };
  };

  const norm = () => [size(), some()];
  const packed = () => ({ b: size(), n: some(), h: pick([1, 2, 3]), k: pick([1, 5, 16, 64, 88, 128]) });
  const clip = () => {
    const [patch, tubelet] = [pick([1, 2, 4]), pick([1, 2])];
    const [b, t, h, w] = [pick([0, 1, 2]), tubelet * pick([1, 2]), patch * pick([1, 2, 3]), patch * pick([1, 2])];
    const video = chance(0.5) ? bytes([b, t, h, w, 3]) : real([b, 3, t, h, w]);
    const windowed = chance(0.3);
    const [rows, columns] = windowed ? [patch, patch] : [h, w];
    const view = windowed ? { window: ints([b, 3], 1), side: patch } : {};
    const tokens = (t / tubelet) * (rows / patch) * (columns / patch);
    return { patch, tubelet, b, tokens, video, view, columns: 3 * tubelet * patch * patch };
  };
  const pixelLoss = () => {
    const { patch, tubelet, b, tokens, video, view, columns } = clip();
    const [r, v] = [size(), size()];
    const normalize = columns > 3;
    const [decoded, visible] = [ints([b, r], tokens), ints([b, v], tokens)];
    return { prediction: real([b, r, columns]), video, decoded, visible, ...view, tubelet, patch, normalize };
  };
  const unaryKinds = ["neg", "exp", "log", "sqrt", "square", "abs", "relu", "tanh", "sigmoid", "sign", "gelu"];

  return {
    layerNorm: () => {
      const [n, d] = norm();
      return { x: real([n, d]), weight: real([d]), bias: real([d]), eps: pick([undefined, 0, 1e-6]) };
    },
    layerNormBackward: () => {
      const [n, d] = norm();
      const vectors = { weight: real([d]), mean: real([n]), rstd: real([n]) };
      return { gradY: real([n, d]), x: real([n, d]), ...vectors, ...sums({ gradWeight: [d], gradBias: [d] }, "gradX") };
    },
    linear: () => {
      const [n, i, o] = [size(), size(), size()];
      const extra = { bias: maybe(() => real([o])), residual: maybe(() => real([n, o])), gelu: chance(0.5) };
      return { x: real([n, i]), weight: real([o, i]), ...extra, skip: skip("preactivation") };
    },
    linearBackward: () => {
      const [n, i, o] = [size(), size(), size()];
      const operands = { gradY: real([n, o]), weight: real([o, i]), preactivation: maybe(() => real([n, o])) };
      const shapes = { gradWeight: [o, i], gradBias: [o] };
      if (chance(0.5)) return { ...operands, x: real([n, i]), ...sums(shapes, "gradX") };
      return { ...operands, inputPreactivation: real([n, i]), ...sums({ ...shapes, gradInputBias: [i] }, "gradX") };
    },
    attention: () => {
      const { b, n, h, k } = packed();
      return { qkv: real([b, n, 3 * h * k]), logitScale: maybe(() => real([h])), heads: h };
    },
    attentionBackward: () => {
      const { b, n, h, k } = packed();
      const merged = () => real([b, n, h * k]);
      const operands = { qkv: real([b, n, 3 * h * k]), logitScale: maybe(() => real([h])), lse: real([b, h, n]) };
      return { gradY: merged(), y: merged(), ...operands, heads: h, skip: skip("gradLogitScale") };
    },
    embedVisible: () => {
      const { patch, tubelet, b, tokens, video, view } = clip();
      const [d, v] = [size(), size()];
      const parameters = { weight: real([d, 3, tubelet, patch, patch]), bias: real([d]), position: real([tokens, d]) };
      return { video, visible: ints([b, v], tokens), ...view, ...parameters };
    },
    embedVisibleVideoGrad: () => {
      const { patch, tubelet, b, tokens, video, view, columns } = clip();
      const v = size();
      const visible = ints([b, v], tokens);
      return { gradPatches: real([b * v, columns]), visible, video, ...view, tubelet, patch };
    },
    gatherTokens: () => {
      const [b, n, d] = [size(), some(), size()];
      return { x: real([b, n, d]), index: ints([b, size()], n) };
    },
    scatterTokens: () => {
      const [b, v, n, d] = [size(), size(), some(), size()];
      return { y: real([b, v, d]), index: ints([b, v], n), tokens: n };
    },
    assembleDecoder: () => {
      const [b, v, d, n] = [size(), size(), size(), some()];
      const tables = { maskToken: real([1, 1, d]), position: real([n, d]) };
      return { x: real([b, v, d]), ...tables, visible: ints([b, v], n), decoded: ints([b, size()], n) };
    },
    assembleDecoderBackward: () => {
      const [b, v, r, d] = [size(), size(), size(), size()];
      return { gradY: real([b, v + r, d]), visible: v, skip: skip("gradX", "gradMaskToken") };
    },
    maskedPixelLoss: () => ({ ...pixelLoss(), skip: skip("tokenLoss") }),
    maskedPixelLossBackward: () => ({ ...pixelLoss(), gradLoss: real([]), weight: real([]) }),
    pixelTargets: () => {
      const { patch, tubelet, b, tokens, video, view, columns } = clip();
      const normalize = columns > 3;
      return { video, decoded: ints([b, size()], tokens), ...view, tubelet, patch, normalize, f64: chance(0.5) };
    },
    adamw: () => {
      const blocks = pick([0, 1, 4]);
      const flat = () => real([16 * blocks]);
      const state = { parameters: flat(), gradients: flat(), expAvg: flat(), expAvgSq: flat() };
      const copies = bf16([pick([0, 16 * blocks])]);
      const table = { segments: ints([2, 2], blocks + 1), rateScales: f64([2]) };
      const values = { learningRate: f64([]), weightDecay: f64([]), updates: ints([], 9) };
      const gradientNorm = maybe(() => real([]));
      return { ...state, copies, ...table, ...values, gradientNorm, clipNorm: gradientNorm ? 1 : 0 };
    },
    ema: () => {
      const s = shape();
      return { average: real(s), x: real(s), decay: f64([]) };
    },
    exchange: () => {
      const s = shape();
      return { a: real(s), b: real(s) };
    },
    mixClips: () => {
      const [b, t, h, w] = [size(), some(), some(), some()];
      const video = chance(0.5) ? bytes([b, t, h, w, 3]) : real([b, 3, t, h, w]);
      return { video, lambda: real([b]), box: ints([b, 4], h + 2) };
    },
    packWeight: () => ({ weight: real([size(), size()]) }),
    gradNorm: () => ({ x: real(shape()) }),
    cropResize: () => {
      const [t, h, w] = [size(), some(), some()];
      const [left, top] = [pick([0, 0, w >> 1]), pick([0, 0, h >> 1])];
      const out = { outWidth: pick([1, 2, 7, 40]), outHeight: pick([1, 2, 7, 40]) };
      return { x: bytes([t, h, w, 3]), left, top, width: w - left, height: h - top, ...out };
    },
    affine: () => {
      const map = {
        a: pick([1, -1, 0.9]),
        b: pick([0, 0.3]),
        c: pick([0, 4, 1e9]),
        d: pick([0, -0.3]),
        f: pick([0, 2]),
      };
      return {
        x: bytes([size(), some(), some(), 3]),
        ...map,
        filter: kind("bilinear", "bicubic"),
        fill: pick([0, 128]),
      };
    },
    colorTransform: () => {
      const names = [
        "autoContrast",
        "equalize",
        "invert",
        "posterize",
        "solarize",
        "solarizeAdd",
        "color",
        "sharpness",
      ];
      return { x: bytes([size(), some(), some(), 3]), kind: kind(...names), amount: pick([0, 1, 5]) };
    },
    frameToRgb: () => {
      const [width, height, chromaX, chromaY] = [some(), some(), pick([0, 1, 2]), pick([0, 1])];
      const model = kind("yuv", "gray", "gbr", "rgb");
      const depth = model === "rgb" ? 8 : pick([8, 10, 16]);
      const chroma = Math.ceil(width / 2 ** chromaX) * Math.ceil(height / 2 ** chromaY);
      const samples = { yuv: width * height + 2 * chroma, gray: width * height }[model] ?? 3 * width * height;
      const turn = { transpose: chance(0.5), mirrorX: chance(0.5), mirrorY: chance(0.5), full: chance(0.5) };
      const x = bytes([size(), samples * (depth > 8 ? 2 : 1)]);
      return { x, width, height, model, depth, chromaX, chromaY, ...turn };
    },
    resizeLinear: () => {
      const [width, height] = [some(), some()];
      const [left, top] = [pick([0, width >> 1]), pick([0, height >> 1])];
      const crop = { left, top, cropWidth: width - left, cropHeight: height - top };
      return { x: bytes([size(), some(), some(), 3]), width, height, ...crop };
    },
    interpolate: () => {
      const [t, h, w] = [size(), some(), some()];
      const [left, top] = [pick([0, w >> 1]), pick([0, h >> 1])];
      return { x: bytes([t, h, w, 3]), left, top, width: w - left, height: h - top, size: pick([1, 2, 7, 40]) };
    },
    binary: () => {
      const b = shape();
      const a = b.map((n) => (chance(0.3) ? 1 : n)).slice(chance(0.3) ? 1 : 0);
      return { kind: kind("add", "sub", "mul", "div", "maximum", "minimum", "pow"), a: real(a), b: real(b) };
    },
    binaryBackward: () => {
      const b = shape();
      const a = b.map((n) => (chance(0.3) ? 1 : n)).slice(chance(0.3) ? 1 : 0);
      const operands = { gradY: real(b), a: real(a), b: real(b), skip: skip("gradA", "gradB") };
      return { kind: kind("mul", "div", "maximum", "minimum", "pow"), ...operands };
    },
    accumulate: () => {
      const s = shape();
      return { y: real(s), x: real(s) };
    },
    unary: () => ({ kind: pick(unaryKinds), x: real(shape()) }),
    unaryBackward: () => {
      const s = shape();
      return { kind: pick(unaryKinds), gradY: real(s), x: maybe(() => real(s)), y: maybe(() => real(s)) };
    },
    sum: () => {
      const s = shape();
      return { x: real(s), axes: s.flatMap((_, i) => (chance(0.4) ? [chance(0.5) ? i : i - s.length] : [])) };
    },
    expand: () => {
      const s = shape();
      return { x: real(s.map((n) => (chance(0.4) ? 1 : n)).slice(chance(0.3) ? 1 : 0)), shape: s };
    },
    matmul: () => {
      const [m, k, n, transposeA, transposeB] = [size(), size(), size(), chance(0.5), chance(0.5)];
      const batch = maybe(() => [pick([1, 2])]) ?? [];
      const a = real([...batch, ...(transposeA ? [k, m] : [m, k])]);
      return { a, b: real(transposeB ? [n, k] : [k, n]), transposeA, transposeB };
    },
    permute: () => {
      const s = shape();
      return { x: real(s), axes: s.map((_, i) => s.length - 1 - i) };
    },
    slice: () => {
      const n = size();
      const start = pick([0, 1, n]);
      return { x: real([size(), n, size()]), axis: 1, start, length: n - start };
    },
    pad: () => ({ x: real([size(), size()]), axis: pick([0, 1, -1]), before: size(), after: size() }),
    cat: () => {
      const d = size();
      return { xs: Array.from({ length: pick([0, 1, 2, 5]) }, () => real([size(), d])), axis: pick([0, 0, -2, 1]) };
    },
    softmax: () => ({ x: real(norm()) }),
    softmaxBackward: () => {
      const s = norm();
      return { gradY: real(s), y: real(s) };
    },
    logSoftmax: () => ({ x: real(norm()) }),
    logSoftmaxBackward: () => {
      const s = norm();
      return { gradY: real(s), y: real(s) };
    },
    crossEntropy: () => {
      const [b, k] = [some(), some()];
      return { logits: real([b, k]), target: ints([b], k), smoothing: 0.1, skip: skip("loss", "logSumExp") };
    },
    crossEntropyBackward: () => {
      const [b, k] = [some(), some()];
      return { gradLoss: real([]), logits: real([b, k]), target: ints([b], k), logSumExp: real([b]) };
    },
    cast: () => ({ x: pick([real, bytes])(shape()), dtype: pick(["f64", "f32", "bf16", "u8", "i32", "bool"]) }),
    fill: () => ({ y: pick([real, bytes])(shape()), value: pick([0, 1, -1e300, Number.NaN]) }),
    random: () => ({
      y: real(shape()),
      kind: kind("uniform", "normal", "truncatedNormal"),
      seed: pick([0, 2 ** 32 - 1]),
      stream: 1,
      low: pick([0, -1]),
      high: pick([0, 1]),
    }),
    dropout: () => ({
      x: real(shape()),
      key: f64([3], () => pick([0, 1, 7])),
      probability: pick([0, 0.5, 1]),
      path: 2,
      perSample: chance(0.5),
    }),
  };
}
