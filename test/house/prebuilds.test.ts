// What a binary asks of a system, read from objdump's list of symbols.
import { expect, it } from "vitest";
import { neededVersions } from "../../scripts/build-prebuilds.mjs";

it("takes the newest version of each kind that is called, and not those that a library offers", () => {
  const listing = `
0000000000000000      DF *UND*	0000000000000000 (GLIBC_2.2.5) memcpy
0000000000000000      DF *UND*	0000000000000000 (GLIBC_2.14) memcpy
0000000000000000      DF *UND*	0000000000000000  GLIBCXX_3.4.9 _ZSt4endl
0000000000000000      DF *UND*	0000000000000000 (GLIBCXX_3.4.29) _ZSt28__throw_bad_array_new_lengthv
0000000000000000  w   D  *UND*	0000000000000000              __gmon_start__
0000000000000000  w   D  *UND*	0000000000000000  Base        napi_create_double
00000000000042e0 g    DF .text	0000000000000010  GLIBC_2.99  offered
`;
  expect(neededVersions(listing)).toEqual({ GLIBC: "2.14", GLIBCXX: "3.4.29" });
});
