import { InvalidParameter } from '../../errors/errors.ts';
import { scramVerifier } from '../logins.ts';
import { command } from './command.ts';
import { givenPassword, passwordSettings } from './given-password.ts';

/** For `alter role … password`, so that neither the server nor its log receives the password itself. */
export const verifierCommand = command({
  title: 'prints the SCRAM verifier of the password of rafiki_service',
  settings: passwordSettings,
  async run({ settings }) {
    const password = givenPassword(settings);
    if (password === undefined) {
      throw new InvalidParameter('no password given', {
        hint: 'Set RAFIKI_SERVICE_PASSWORD, or RAFIKI_SERVICE_PASSWORD_FILE.',
      });
    }
    process.stdout.write(`${scramVerifier(password)}\n`);
  },
});
