import { useState } from 'preact/hooks';
import type { ExplanationAnswer, ModelInputsAnswer } from '../../../http/charts/model-inputs.ts';
import { ask } from '../../api/client.ts';
import { RequestFailed } from '../../api/request-failed.ts';
import { Failure, Loading } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { useAttempt } from '../../state/loading.ts';
import { AnswerShown, type PredictionAnswer } from './answer-shown.tsx';
import { ColumnsInput, PhotoInput, type Question, TextInput } from './question-inputs.tsx';

/** An explanation is many predictions: it gets more time than an answer. */
const EXPLAIN_BUDGET = '30s';
const BUDGET = '10s';

export interface TryItProps {
  model: string;
  inputs: ModelInputsAnswer;
}

interface Answered {
  question: Question;
  prediction: PredictionAnswer;
  explanation: ExplanationAnswer | null | undefined;
}

/** Asks the deployed version, and shows all that it says. */
export function TryIt({ model, inputs }: TryItProps) {
  const [answered, setAnswered] = useState<Answered>();
  const { isBusy, error, attempt } = useAttempt();
  const [what, setWhat] = useState<'an answer' | 'an explanation'>('an answer');
  const path = `/v1/models/${encodeURIComponent(model)}`;
  const answer = async (asked: typeof what, work: () => Promise<Answered>): Promise<void> => {
    setWhat(asked);
    await attempt(async () => setAnswered(await work()));
  };
  const predict = (question: Question): Promise<void> =>
    answer('an answer', async () => ({
      question,
      prediction: await predicted(path, question),
      explanation: undefined,
    }));
  const explain = (given: Answered): Promise<void> =>
    answer('an explanation', async () => {
      const response = await ask(`${path}/explain`, {
        method: 'POST',
        body: { query: await queryOf(given.question) },
        headers: { 'rafiki-latency-budget': EXPLAIN_BUDGET },
      });
      return { ...given, explanation: (await response.json()) as ExplanationAnswer | null };
    });
  const Input = { text: TextInput, image: PhotoInput, columns: ColumnsInput }[inputs.input];
  return (
    <Panel title="Try it" size="half">
      {inputs.version === null ? (
        <p class="caption">No version is deployed: deploy one under Versions, and it answers here.</p>
      ) : (
        <div class="stack">
          <Input inputs={inputs} isBusy={isBusy} onAsk={(question) => void predict(question)} />
          <div aria-live="polite" class="stack">
            {isBusy && <Loading what={what} />}
            {error !== undefined && <Failure error={error} />}
            {answered !== undefined && <AnswerShown {...answered} target={inputs.target} />}
          </div>
          {answered !== undefined && inputs.output !== 'boxes' && answered.explanation === undefined && (
            <div>
              <button type="button" disabled={isBusy} onClick={() => void explain(answered)}>
                Explain this answer
              </button>
            </div>
          )}
        </div>
      )}
    </Panel>
  );
}

async function predicted(path: string, question: Question): Promise<PredictionAnswer> {
  const headers = { 'rafiki-latency-budget': BUDGET };
  if (question.kind !== 'image') {
    const response = await ask(`${path}/predict`, {
      method: 'POST',
      body: { query: question.query, detail: true },
      headers,
    });
    return (await response.json()) as PredictionAnswer;
  }
  const file = question.file.slice(0, question.file.size, 'application/octet-stream'); // whatever the browser takes it for
  const response = await ask(`${path}/predict?detail=true`, {
    method: 'POST',
    body: file,
    headers: { ...headers, 'content-type': 'application/octet-stream' },
  });
  return (await response.json()) as PredictionAnswer;
}

async function queryOf(question: Question): Promise<unknown> {
  if (question.kind !== 'image') return question.query;
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () =>
      reject(new RequestFailed(0, { code: '22000', message: 'the file cannot be read', hint: 'Choose it again.' }));
    reader.readAsDataURL(question.file);
  });
  return { b64: url.slice(url.indexOf(',') + 1) };
}
