// Classes that a mirror image turns into others. Exchanging left and right in training teaches such classes wrongly: with
// flips a model of "moving left" and "moving right" ends at chance between the two.

const WORDS = /\b(left|right|(counter|anti)?-?clockwise)\b/i;

/** The classes whose names speak of a direction that a mirror image changes. */
export function directionSensitive(classes: readonly string[]): string[] {
  return classes.filter((name) => WORDS.test(name.replaceAll("_", " ")));
}
