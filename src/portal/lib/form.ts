import { type FormEvent, useState } from 'react';
import { type Problem, problemFrom } from './problem.ts';

interface Form {
  readonly busy: boolean;
  /** Of the last try. */
  readonly problem: Problem | undefined;
  /** The input is another one now, and so the problem is gone. */
  clear(): void;
  submit(run: () => Promise<unknown>): (event: FormEvent) => Promise<void>;
}

/** The state of a form with one button while it is sent and after that. */
export function useForm(): Form {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const submit: Form['submit'] = (run) => async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await run();
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  return { busy, problem, clear: () => setProblem(undefined), submit };
}
