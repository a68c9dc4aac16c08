/**
 * The public API, ordered by what it is for. Pages beside it are guides; [their index](../docs/README.md) says which is what.
 *
 * @module videomae
 */
export type { KernelMeasurement, NativeMemory, NumberArray } from "./addon/binding.js";
export { backward } from "./autograd/backward.js";
export { checkpoint } from "./autograd/checkpoint.js";
export {
  type CompiledStep,
  type CompileOptions,
  compileStep,
  onReplay,
  type StepInputs,
  type StepTensors,
} from "./autograd/compile-step.js";
export { defineOp, type Save } from "./autograd/define-op.js";
export { gradEnabled, noGrad, withGrad } from "./autograd/grad-mode.js";
export type { Into, Remake, VectorJacobianProduct } from "./autograd/node.js";
export { type RandomKey, randomKey, withRandomKey } from "./autograd/random-key.js";
export type { Step } from "./autograd/step-plan.js";
export {
  forgetKernels,
  kernelReport,
  type MeasuredGpu,
  measuredWorks,
  type StoredKernels,
  storeKernels,
} from "./bench/kernel-report.js";
export { type KernelWork, measureKernels, type Pass as MeasuredPass } from "./bench/measure-kernels.js";
export type { Peers as BenchmarkPeers } from "./bench/peers.js";
export {
  type FailedRow as FailedBenchmarkRow,
  type Row as BenchmarkRow,
  readRows as readBenchmarkRows,
} from "./bench/row.js";
export {
  type BenchmarkOptions,
  type Clips as BenchmarkClips,
  planBenchmarks,
  runBenchmarks,
  type Work as BenchmarkWork,
} from "./bench/suite.js";
export { benchmarkReport, verdictReport } from "./bench/suite-report.js";
export {
  type Compared as ComparedWork,
  compareBenchmarks,
  type Refused as RefusedWork,
  type Verdicts,
} from "./bench/verdict.js";
export { type DistillRunConfig, type DistillRunOptions, parseDistillConfig } from "./config/distill-config.js";
export { type DistillRecipeOptions, distillRecipes } from "./config/distill-recipes.js";
export { type FinetuneRunConfig, type FinetuneRunOptions, parseFinetuneConfig } from "./config/finetune-config.js";
export { type FinetuneRecipeOptions, finetuneRecipes, postPretrainRecipes } from "./config/finetune-recipes.js";
export { type PretrainRunConfig, type PretrainRunOptions, parsePretrainConfig } from "./config/pretrain-config.js";
export { type ProbeRunConfig, type ProbeRunOptions, parseProbeConfig, probeRecipes } from "./config/probe-config.js";
export type { NamedRecipe, RecipeBook, RecipeFormat } from "./config/recipe-book.js";
export {
  formatRecipe,
  loadRecipe,
  type PretrainRecipe,
  parseRecipe,
  type RecipeName,
  type RecipeOptions,
  recipe,
  recipes,
} from "./config/recipes.js";
export type { RunConfig } from "./config/run-options.js";
export type { StageName } from "./config/stage-options.js";
export { readClassNames } from "./data/class-names.js";
export type { ClipShape } from "./data/clip-request.js";
export type { DecoderName } from "./data/find-decoder.js";
export {
  type LabelledOptions,
  type LabelledSource,
  type LabelledSources,
  readLabelledSources,
} from "./data/labelled-sources.js";
export type { ClipAugmentation, LabelledView } from "./data/labelled-view.js";
export type { PictureFields } from "./data/list-line.js";
export { readSources, type SourceOptions } from "./data/lists.js";
export {
  type BadFile,
  type ClipBatch,
  type ClipOptions,
  type DataSource,
  type DataSpec,
  type Loader,
  type LoaderOptions,
  loader,
  type PartReport,
  type QuarantineState,
  VideoDataset,
} from "./data/loader.js";
export { type ClassSpace, type MergedClasses, mergeClasses } from "./data/merge-classes.js";
export { type LabelledSet, type LeftOut, type MergedSets, type MergeOptions, mergeSets } from "./data/merge-lists.js";
export type { DataOptions, DatasetPart } from "./data/mixture.js";
export { type ClipMix, drawMix, type MixupOptions, softTargets } from "./data/mixup.js";
export type { QuarantinedFile, VideoCounts } from "./data/quarantine.js";
export { parseRandAugment, type RandAugment } from "./data/rand-augment.js";
export type { RandomErasing } from "./data/random-erasing.js";
export type { CropRange } from "./data/random-resized-crop.js";
export type { FramesSource, Source, VideoSource } from "./data/source.js";
export type { Identity } from "./data/video-identity.js";
export type { ViewSampling } from "./data/view-sampling.js";
export { examineMachine } from "./doctor/examine.js";
export type { Finding, Status } from "./doctor/finding.js";
export { type ErrorParts, VideomaeError } from "./errors.js";
export type { DecodedClip } from "./eval/clip-source.js";
export { type EvaluationClip, evaluationClips } from "./eval/clips.js";
export type { ClipFeatures, FeatureProgress } from "./eval/extract-features.js";
export { evaluateHeldOut, type HeldOutReport, type Ratio } from "./eval/held-out.js";
export type { FrameMode } from "./eval/model-input.js";
export {
  type AnimationOptions,
  type Panel,
  type Picture,
  type PictureOptions,
  renderReconstruction,
  writeSheet,
} from "./eval/picture.js";
export {
  type ClassProbability,
  type Clip,
  detectionFeatures,
  type FeatureOptions,
  features,
  openPredictor,
  type Prediction,
  type PredictOptions,
  Predictor,
  type PredictorOptions,
  predict,
} from "./eval/predictor.js";
export type { PredictorModel } from "./eval/predictor-messages.js";
export { reconstructionPanels } from "./eval/reconstruct.js";
export { type TestedClip, type TestOptions, type TestResult, testClassifier } from "./eval/test-classifier.js";
export { type ExportedModel, type ExportOptions, exportOnnx } from "./export/export-onnx.js";
export { bestCheckpointPath, type CheckpointFile, latestCheckpoint } from "./io/checkpoint-folder.js";
export { writeNpy } from "./io/npy.js";
export type { PlainValue } from "./io/pytorch/pytorch-file.js";
export { openSafetensors, type SafetensorsFile, type StoredTensor, writeSafetensors } from "./io/safetensors.js";
export { writeShardedSafetensors } from "./io/sharded-tensors.js";
export type { StoredArray, StoredDtype } from "./io/stored-dtype.js";
export { readFloats, readIntegers } from "./io/stored-numbers.js";
export type { StoredEntry, TensorFile } from "./io/tensor-file.js";
export { type OpenWeightsOptions, openWeights, type Weights, type WeightsFormat } from "./io/weights.js";
export { type EncodedPicture, EventFile } from "./log/event-file.js";
export { type JsonlLog, type LogRecord, openJsonl, readJsonl } from "./log/jsonl.js";
export { type LossPlotOptions, type LossPoint, lossPlotSvg, writeLossPlot } from "./log/loss-plot.js";
export { Progress, type ProgressOptions, type ProgressUpdate } from "./log/progress.js";
export type { Rates } from "./log/rate-window.js";
export type { InstructionSet } from "./machine/processor.js";
export {
  type ClipKey,
  type DecoderMaskSpec,
  type DualMask,
  type DualMaskOptions,
  dualMask,
  fixedMasks,
  type MaskBatch,
  type MaskCounts,
  type MaskIndices,
} from "./masking/dual-mask.js";
export type { MaskKind, MaskSpec } from "./masking/mask-kind.js";
export type { TokenGrid } from "./masking/token-grid.js";
export { Accuracy } from "./models/accuracy.js";
export { ClassifierModel, classifierModel } from "./models/classifier.js";
export { type ClassifierConfig, classifierShapes, resolveClassifierConfig } from "./models/classifier-config.js";
export type { Decoder } from "./models/decoder.js";
export type { Encoder } from "./models/encoder.js";
export { type MultiplyAdds, multiplyAdds, type TokenCounts, trainingFlops } from "./models/multiply-adds.js";
export {
  type MaskedView,
  type ModelOptions,
  PretrainModel,
  pretrainModel,
  type TokenMasks,
  type VideoView,
} from "./models/pretrain.js";
export { type ProbeConfig, ProbeModel } from "./models/probe.js";
export { type RecognizedWeights, recognizeWeights } from "./models/recognize-weights.js";
export {
  type EncoderConfig,
  type ModelName,
  modelSize,
  modelSizes,
  type NamedShape,
  type PretrainConfig,
  parameterCount,
  parameterShapes,
  resolvePretrainConfig,
  tokenGrid,
} from "./models/sizes.js";
export { Attention } from "./nn/attention.js";
export type { AttentivePooling } from "./nn/attentive-pooling.js";
export { Block, type BlockOptions } from "./nn/block.js";
export { constant, type Initializer, ones, truncatedNormal, uniform, xavierUniform, zeros } from "./nn/initializers.js";
export { LayerNorm } from "./nn/layer-norm.js";
export { Linear } from "./nn/linear.js";
export { Mlp } from "./nn/mlp.js";
export { type MaterializeOptions, Module, Parameter, type RealType } from "./nn/module.js";
export { ModuleList } from "./nn/module-list.js";
export { PatchEmbedding, type Projection } from "./nn/patch-embedding.js";
export { type PositionMode, sinusoid } from "./nn/position-table.js";
export type { ClipWindow } from "./ops/embed-visible.js";
export * from "./ops/index.js";
export {
  AdamW,
  type AdamWOptions,
  type FlatParameters,
  type OptimizerGroup,
  type OptimizerValues,
  parameterGroups,
  type StepResult,
} from "./optim/adamw.js";
export { ParameterEma } from "./optim/ema.js";
export { type CosineScheduleOptions, cosineSchedule, type Schedule, scaleLearningRate } from "./optim/schedule.js";
export type { NamedValues, Segment } from "./optim/segments.js";
export {
  type ProgressiveControl,
  type ProgressiveSummary,
  progressive,
} from "./progressive/progressive.js";
export type { ProgressiveRecipe, StageRecipe } from "./progressive/schedule-recipe.js";
export type { StageControl } from "./progressive/stage-kinds.js";
export type { ReconstructionOptions } from "./report/reconstructions.js";
export { type ReportOptions, writeRunReport } from "./report/run-report.js";
export { type CleanList, writeCleanList } from "./survey/clean-list.js";
export type { Probed } from "./survey/probe.js";
export { type SurveySummary, summarize } from "./survey/summary.js";
export { type Survey, type SurveyedEntry, type SurveyOptions, survey } from "./survey/survey.js";
export {
  type DeviceDescription,
  type DeviceList,
  devices,
  type MatrixLibrary,
  matrixLibrary,
  synchronize,
} from "./tensor/devices.js";
export type { Device, DType } from "./tensor/dtype.js";
export {
  type FoundKernelTable,
  findKernelTable,
  type KernelTable,
  type MeasuredVariant,
  type MeasuredWork,
} from "./tensor/kernel-table.js";
export {
  emptyCache,
  instructionSet,
  type MemoryReport,
  memory,
  rehearse,
  resetPeakMemory,
  runSingleThreaded,
  threads,
} from "./tensor/memory.js";
export { type NativeArguments, nativeOp } from "./tensor/native-op.js";
export { scope, unscoped } from "./tensor/scope.js";
export { keep, Tensor } from "./tensor/tensor.js";
export type { Compute } from "./train/compute.js";
export { distill } from "./train/distill.js";
export { type FinetuneControl, type FinetuneSummary, finetune, postPretrain } from "./train/finetune.js";
export type { GuardState } from "./train/guards.js";
export { loadPretrainModel } from "./train/load-pretrain.js";
export { forecastMemory, type MemoryForecast } from "./train/memory-forecast.js";
export type { Numerics } from "./train/numerics.js";
export { masksOf, type PretrainControl, type PretrainState, type PretrainSummary, pretrain } from "./train/pretrain.js";
export { type ProbeControl, type ProbeSummary, probe } from "./train/probe.js";
export type { DataState, RunState, Schedules } from "./train/run-state.js";
export type { TrainingStep } from "./train/training-loop.js";
export type { Measured, RunControl, RunSummary } from "./train/training-run.js";
export type { ClassifierValidation } from "./train/validate-classifier.js";
export { type RunWatch, type WatchOptions, watchRun } from "./watch/watch-run.js";
export { type AverageOptions, averageWeights, lastCheckpoints } from "./weights/average-weights.js";
export { type ConvertOptions, convertWeights } from "./weights/convert-weights.js";
export type { HubPreprocessing } from "./weights/hub-config.js";
export { type HeadOrigin, type InitializeOptions, initializeClassifier } from "./weights/initialize-classifier.js";
export { type LayoutName, layoutNames } from "./weights/layouts.js";
export { describeReport, type LoadReport, type Mismatch } from "./weights/load-report.js";
export { type LoadOptions, loadWeights } from "./weights/load-weights.js";
export {
  loadWeightsFrom,
  type OpenedClassifier,
  type OpenedPretrain,
  type OpenOptions,
  openClassifier,
  openPretrain,
} from "./weights/open-model.js";
export type { RunSampling } from "./weights/run-description.js";
export type { WriteOptions, WrittenDtype, WrittenModel } from "./weights/write-model.js";
