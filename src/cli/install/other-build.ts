import { EnvironmentUnfit } from '../../errors/errors.ts';
import { version } from '../../runtime/version.ts';

/** The database has the extension in the version of this process, but of another build, which happens before a release. */
export class OtherBuild extends EnvironmentUnfit {
  constructor(hint = 'Dump and restore the database, which recreates the extension.') {
    super(`the database has another, unreleased build of rafiki ${version}`, {
      detail: 'PostgreSQL upgrades extensions between versions only, not between builds of one version.',
      hint,
    });
  }
}
