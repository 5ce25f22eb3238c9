/**
 * The one table of errors that a caller of the API can meet. `code`, `token` and `status` are emnify's where emnify
 * has them; a code above 9000 is simstream's own. docs/errors.md lists the same rows, and a test compares both.
 */
export const ERRORS = {
  BadRequest: { code: 1000, status: 400, message: 'The request could not be understood.' },
  Failed: { code: 1002, status: 422, message: 'The operation failed.' },
  InvalidCredentials: { code: 1101, status: 401, message: 'User name, password or token is wrong.' },
  InvalidToken: { code: 1102, status: 401, message: 'The token is missing, unknown or revoked.' },
  TokenExpired: { code: 1103, status: 401, message: 'The token has expired.' },
  Forbidden: { code: 1104, status: 403, message: 'The token lacks the permission for this call.' },
  TooManyRequests: { code: 1105, status: 429, message: 'Too many requests.' },
  NotFound: { code: 1201, status: 404, message: 'There is no such resource.' },
  InvalidQueryCriteria: { code: 1301, status: 422, message: 'A query parameter is invalid.' },
  InvalidSortCriteria: { code: 1302, status: 422, message: 'The list cannot be sorted like this.' },
  InputValidationFailed: { code: 1400, status: 422, message: 'Several fields are invalid.' },
  InvalidReference: { code: 1401, status: 422, message: 'The body refers to something that does not exist.' },
  Required: { code: 1402, status: 422, message: 'A mandatory field is missing.' },
  InvalidFormat: { code: 1403, status: 422, message: 'A field has the wrong format.' },
  OutOfRange: { code: 1404, status: 422, message: 'A value is outside its limits.' },
  Duplicated: { code: 1405, status: 409, message: 'It exists already.' },
  NotAllowed: { code: 1406, status: 422, message: 'This is not permitted.' },
  InvalidState: { code: 1406, status: 409, message: 'The present state forbids this.' },
  PayloadTooLarge: { code: 9001, status: 413, message: 'The request body is too large.' },
  UnsupportedMediaType: {
    code: 9002,
    status: 415,
    message: 'The content type or encoding is not supported.',
  },
  Busy: { code: 9003, status: 503, message: 'The node cannot keep up; try again later.' },
  Internal: { code: 9004, status: 500, message: 'Something failed inside simstream.' },
  MethodNotAllowed: { code: 9005, status: 405, message: 'The path does not take this method.' },
  PreconditionFailed: { code: 9006, status: 412, message: 'It was changed since it was read.' },
} as const satisfies Record<string, { code: number; status: number; message: string }>;

export type ErrorToken = keyof typeof ERRORS;

/** One fault among several, as it stands in `errors[]` of an answer. `path` is a JSON pointer into the body. */
export interface FieldFault {
  readonly token: ErrorToken;
  readonly path: string;
  readonly message: string;
}

/** The body of every answer that is an error. */
interface ErrorBody {
  error_code: number;
  error_token: string;
  message: string;
  errors?: unknown[];
}

interface ApiErrorOptions {
  /** Entries of `errors[]`. */
  readonly errors?: readonly unknown[];
  /** Seconds for a `Retry-After` header. */
  readonly retryAfter?: number;
  /** Where the status is another than the table's (emnify's login lockout is a 401 with TooManyRequests). */
  readonly status?: number;
  /** More headers of the answer, names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface Caller {
  readonly actor: string;
  readonly organisationId: number;
}

/** What a handler throws to answer with an error; the HTTP layer is the only place that catches it. */
export class ApiError extends Error {
  readonly token: ErrorToken;
  readonly status: number;
  readonly errors: readonly unknown[] | undefined;
  readonly retryAfter: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Who was refused, where a token names them; for the audit log. */
  caller: Caller | undefined;

  constructor(token: ErrorToken, message?: string, options: ApiErrorOptions = {}) {
    super(message ?? ERRORS[token].message);
    this.name = 'ApiError';
    this.token = token;
    this.status = options.status ?? ERRORS[token].status;
    this.errors = options.errors;
    this.retryAfter = options.retryAfter;
    this.headers = options.headers ?? {};
  }

  body(): ErrorBody {
    return errorBody(this.token, this.message, this.errors);
  }
}

/** The storage gave no answer in time, or none that settles the matter: what was asked for may have happened or not. */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailable';
  }
}

/** The error a list of faults amounts to: one fault is itself, several are InputValidationFailed with `errors[]`. */
export function faultsToError(faults: readonly FieldFault[]): ApiError {
  const [first] = faults;
  if (first && faults.length === 1) {
    return new ApiError(first.token, first.path ? `${first.path}: ${first.message}` : first.message, {
      errors: [faultBody(first)],
    });
  }
  const summary = `${faults.length} fields are invalid: ${faults.map((fault) => fault.path || '/').join(', ')}.`;
  return new ApiError('InputValidationFailed', summary, { errors: faults.map(faultBody) });
}

function faultBody(fault: FieldFault) {
  return { ...errorBody(fault.token, fault.message), path: fault.path };
}

function errorBody(token: ErrorToken, message: string, errors?: readonly unknown[]): ErrorBody {
  const { code } = ERRORS[token];
  const name = token === 'InvalidState' ? 'NotAllowed' : token;
  return { error_code: code, error_token: name, message, ...(errors ? { errors: [...errors] } : {}) };
}
