// The TypeScript of snippets, checked against the package as it is published (its declarations in dist/) and compiled to
// modules that node runs. All snippets are one program, so the package is read once.

import path from "node:path";
import ts from "typescript";

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noImplicitOverride: true,
  noFallthroughCasesInSwitch: true,
  skipLibCheck: true,
};

/**
 * Checks the files and writes each as JavaScript beside it.
 * @param files  paths that end in `.mts`
 * @returns for each file its mistakes, a line each: line in the file, and what is wrong
 */
export function compile(files: readonly string[]): Map<string, string[]> {
  const root = path.dirname(files[0] ?? ".");
  const program = ts.createProgram(files, { ...options, typeRoots: [path.join(root, "node_modules/@types")] });
  return new Map(
    files.map((file) => {
      const source = program.getSourceFile(file);
      const found = ts.getPreEmitDiagnostics(program, source).map(({ start, messageText }) => {
        const line = start === undefined || !source ? 0 : source.getLineAndCharacterOfPosition(start).line + 1;
        return `${line}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
      });
      if (found.length === 0) program.emit(source);
      return [file, found];
    }),
  );
}
