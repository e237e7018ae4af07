import { type Installer, install } from '../install/install.ts';
import { OtherBuild } from '../install/other-build.ts';

/** Like {@link install}, in the embedded server, whose data folder a user may not know: the demo's is in that of `up`. */
export async function installEmbedded(db: Installer, dataDir: string): Promise<void> {
  try {
    await install(db);
  } catch (error) {
    if (!(error instanceof OtherBuild)) throw error;
    throw new OtherBuild(
      `Its data folder is ${dataDir}. Choose another one with --data-dir, or remove it if you do not need its data. To keep them, start the build that created it, and dump the database.`,
    );
  }
}
