// The C library of this machine, and the oldest that the prebuilt binaries run with.

/** The oldest glibc with everything that the prebuilt binaries call. `npm run check:package` measures it. */
export const GLIBC_FLOOR = "2.34";

/** The oldest C++ library, by the newest symbol version of GCC 11's libstdc++. */
export const GLIBCXX_FLOOR = "3.4.29";

/** Undefined where the C library is another, such as musl. */
export function glibcVersion(): string | undefined {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime;
}
