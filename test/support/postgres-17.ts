import type { TestProject } from 'vitest/node';
import { startTestCluster } from './test-cluster.ts';

export default (project: TestProject): Promise<() => Promise<void>> => startTestCluster(project, 17);
