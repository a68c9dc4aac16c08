/**
 * A value that is made when it is first asked for, and kept. Schemas are such values: they take longer to make than all else
 * that `import "videomae"` does, and most programs use few of them.
 */
export function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
