// Prints `<passed> <failed>` of a test run: the totals of the native tests in its log plus vitest's JSON report. A
// failing run whose reports name no failure, and a report that is not there, count as one failure. Tests that had not
// ended when their process did are named on stderr: they are all that is known of a crash.
import { existsSync, readFileSync } from "node:fs";

const [status, log, report] = process.argv.slice(2);
let passed = 0;
let failed = 0;

const native = /^native: (\d+) passed, (\d+) failed$/m.exec(readFileSync(log, "utf8"));
if (native) {
  passed += Number(native[1]);
  failed += Number(native[2]);
} else {
  failed += 1;
}

if (existsSync(report)) {
  const results = JSON.parse(readFileSync(report, "utf8"));
  passed += results.numPassedTests;
  failed += results.numFailedTests;
  // A file that cannot be loaded has no tests that could fail.
  const broken = results.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  failed += broken.length;
  for (const { name, assertionResults } of results.testResults)
    for (const { status: end, fullName } of assertionResults)
      if (end === "pending") console.error(`not ended: ${name}: ${fullName}`);
} else {
  failed += 1;
}

if (status !== "0" && failed === 0) failed = 1;
console.log(`${passed} ${failed}`);
