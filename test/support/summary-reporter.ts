import type { Reporter, TestModule } from 'vitest/node';

const SLOWEST = 8;

/** Ends a run with its slowest files, the tests that needed a second attempt, and one plain line. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0 };
    for (const module of modules) {
      if (module.state() === 'failed' && [...module.children.allTests('failed')].length === 0) count.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state !== 'pending') count[state]++;
        if (test.diagnostic()?.flaky) console.log(`\npassed at the second attempt only: ${test.fullName}`);
      }
    }
    if (modules.length > SLOWEST) printSlowest(modules);
    console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  }
}

function printSlowest(modules: readonly TestModule[]): void {
  const timed = modules.map((module) => {
    const { collectDuration, duration } = module.diagnostic();
    return { name: `${module.project.name} ${module.relativeModuleId}`, seconds: (collectDuration + duration) / 1000 };
  });
  const sum = timed.reduce((total, { seconds }) => total + seconds, 0);
  console.log(`\n${timed.length} files took ${sum.toFixed(0)} s, of which`);
  for (const { name, seconds } of timed.sort((a, b) => b.seconds - a.seconds).slice(0, SLOWEST))
    console.log(`${seconds.toFixed(0).padStart(6)} s ${name}`);
}
