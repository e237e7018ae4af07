import { FamilyFailed } from '../../errors/errors.ts';

/** Version of the messages; a command that speaks another one is refused. */
export const PROTOCOL = 1;

export const wrong = (field: string, value: unknown, expected: string): FamilyFailed =>
  new FamilyFailed(`"${field}" in a message of the family's command is not ${expected}`, {
    detail: `It is ${(JSON.stringify(value) ?? 'missing').slice(0, 200)}.`,
    hint: 'docs/howto/own-family.md describes the messages.',
  });
