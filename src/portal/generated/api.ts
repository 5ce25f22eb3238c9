// Written by `npm run generate` from the project's OpenAPI document. Not to be edited.

export interface paths {
  "/api/v1/authenticate": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    post: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody: { content: { "application/json": {
          /** Of a program: alone. */
          "application_token"?: string;
          /** With password. */
          "username"?: string;
          /** SHA-1 of the clear password, 40 hex digits. */
          "password"?: string;
          /** From a login with a password: alone. */
          "refresh_token"?: string;
          /** Of the device; ignored. */
          "fingerprint"?: string;
          /** There is no multi-factor login: refused. */
          "mfa_token"?: string;
        } } };
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": {
          /** Bearer of the other calls: 7 days for an application token, 240 minutes for a user. */
          "auth_token": string;
          /** After a login with a password: gives new auth tokens for 30 days, and is not itself renewed. */
          "refresh_token"?: string;
        } } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  "/api/v1/application_token": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<{
          "id": number;
          /** What it is for; absent: nobody said. */
          "description"?: string;
          "created": string;
          "status": {
            /** 0 Activated, 1 Revoked. */
            "id": number;
            "description": string;
          };
          /** UTC; absent: valid until it is revoked. */
          "expiry_date"?: string;
          /** The address or CIDR block that it may be used from; absent: any. */
          "ip"?: string;
          "creator": {
            "id": number;
            "name": string;
            "username": string;
          };
        }> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: { content: { "application/json": {
          "description"?: string;
          /** ISO 8601 with or without a time; UTC if it names no zone. */
          "expiry_date"?: string;
          /** An address or CIDR block. */
          "ip"?: string;
        } } };
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": {
          "id": number;
          "application_token": string;
        } } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  "/api/v1/application_token/{id}": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    post?: never;
    delete?: never;
    patch: {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never };
      requestBody: { content: { "application/json": {
          "description"?: string;
          "status"?: {
            /** 1 revokes it, for good; 0 is for what is active already. */
            "id": number;
          };
        } } };
      responses: {
        204: { headers: Record<string, unknown>; content?: never };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
  };
  "/api/v1/organisation/my": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": {
          "id": number;
          "name": string;
          "parent_id": number | null;
          "created": string;
        } } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v1/user/my": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": {
          "id": number;
          "username": string;
          "name": string;
          "role": {
            /** 1 Administrator, 2 User, 3 Observer (reads only). */
            "id": number;
            "description": string;
          };
          "organisation": {
            "id": number;
            "name": string;
          };
          "created": string;
        } } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v1/event/type": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<components['schemas']['LookupEntry']> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/status": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<components['schemas']['LookupEntry']> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/type": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<components['schemas']['LookupEntry']> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/connection_type": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<components['schemas']['ConnectionType']> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/filter_field_type": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<components['schemas']['NamedLookupEntry']> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/platform": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Platform'] } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: { page?: number; per_page?: number }; header?: never; path?: never; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<components['schemas']['DataStream']> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody: { content: { "application/json": components['schemas']['CreateDataStream'] } };
      responses: {
        201: { headers: Record<string, unknown>; content?: never };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/{id}": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['DataStream'] } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete: {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never };
      requestBody?: never;
      responses: {
        202: { headers: Record<string, unknown>; content?: never };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    patch: {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never };
      requestBody: { content: { "application/json": components['schemas']['PatchDataStream'] } };
      responses: {
        202: { headers: Record<string, unknown>; content?: never };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        409: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
  };
  "/api/v2/data_stream/{id}/history": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<components['schemas']['StateChange']> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/test": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    post: {
      parameters: { query?: never; header?: never; path?: never; cookie?: never };
      requestBody: { content: { "application/json": components['schemas']['TestDataStream'] } };
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": {
          "reachable": true;
          "target": string;
        } } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/{id}/restart": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    post: {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never };
      requestBody?: never;
      responses: {
        202: { headers: Record<string, unknown>; content?: never };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        409: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/{id}/attempt": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<{
          /** UTC */
          "at": string;
          "delivery_id": string;
          "records": number;
          "bytes": number;
          "duration_ms": number;
          /** Number of this try, from 1 */
          "tries": number;
          /** `delivered`, `retry`, `partial`, `refused`, `too_large`, `rejected` or `platform` */
          "outcome": string;
          "code": string | null;
          "message": string | null;
          "remote_status": number | null;
        }> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/{id}/series": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: { range?: "1h" | "24h" | "7d" }; header?: never; path: { id: string }; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": {
          "step_seconds": number;
          "buckets": Array<{
            /** UTC */
            "at": string;
            "delivered": number;
            "attempts": number;
            "failures": number;
            "causes": Record<string, number>;
            "latency_avg_ms": number | null;
            "latency_max_ms": number | null;
            "pending": number | null;
          }>;
        } } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/{id}/tail": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: { after?: string; limit?: number }; header?: never; path: { id: string }; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": {
          "records": Array<{
            "id": string;
            /** UTC */
            "arrived_at": string;
            "record": string;
          }>;
          "next": string;
          "skipped": boolean;
        } } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/{id}/quarantine": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get: {
      parameters: { query?: { after?: string; limit?: number }; header?: never; path: { id: string }; cookie?: never };
      requestBody?: never;
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": Array<{
          "id": string;
          /** UTC */
          "at": string;
          /** UTC */
          "arrived_at": string;
          "code": string;
          "message": string;
          "remote_status": number | null;
          /** The record as it came in */
          "record": string;
        }> } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    put?: never;
    post?: never;
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/{id}/quarantine/resend": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    post: {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never };
      requestBody?: { content: { "application/json": {
          /** Ids of records in quarantine; absent: the oldest 1,000 */
          "ids"?: Array<string>;
        } } };
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": {
          "delivered": number;
          "failed": Array<{
            "id": string;
            "code": string;
            "message": string;
          }>;
        } } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
  "/api/v2/data_stream/{id}/quarantine/discard": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    get?: never;
    put?: never;
    post: {
      parameters: { query?: never; header?: never; path: { id: string }; cookie?: never };
      requestBody?: { content: { "application/json": {
          /** Ids of records in quarantine; absent: the oldest 1,000 */
          "ids"?: Array<string>;
        } } };
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": {
          "discarded": number;
        } } };
        400: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        401: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        403: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        404: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        413: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        415: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        422: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        429: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        500: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
        503: { headers: Record<string, unknown>; content: { "application/json": components['schemas']['Error'] } };
      };
    };
    delete?: never;
    patch?: never;
  };
}

export interface components {
  schemas: {
    LookupEntry: {
      "id": number;
      "description": string;
    };
    ConnectionType: {
      /** The value of `destination.connection_type`. */
      "id": string;
      /** The name that people know. */
      "description": string;
      /** One line of use. */
      "summary": string;
      /** What `destination.format` may be; the first is the default. */
      "formats": Array<string>;
      /** JSON Schema of `destination.credentials`, with titles, help, defaults and ranges. A property with `x-secret` is secret: `all` of it, the values of `headers`, or the key in a `connectionString`. */
      "schema": Record<string, unknown>;
    };
    NamedLookupEntry: {
      "id": string;
      "description": string;
    };
    Platform: {
      /** Whom the trust policy of an AWS role has to name; null: the operator has not said. */
      "aws_principal": string | null;
      /** The external id that AWS roles are assumed with: this organisation’s alone. */
      "aws_external_id": string | null;
      /** Who has to have the role Pub/Sub Publisher on a topic; null: the operator has not said. */
      "google_service_account": string | null;
      /** How long records are kept. */
      "retention_seconds": number;
    };
    DataStream: {
      "id": string;
      "name"?: string;
      "destination": {
        "connection_type": string;
        "credentials": components['schemas']['RestAPICredentials'] | components['schemas']['AwsKinesisCredentials'] | components['schemas']['S3Credentials'] | components['schemas']['EventHubsCredentials'] | components['schemas']['PubSubCredentials'] | components['schemas']['KeenIOCredentials'] | components['schemas']['DatadogCredentials'];
        "format": string;
        /** Where it goes, without secrets. */
        "target": string;
      };
      /** Which events are delivered; empty: all. Streams of usage data cannot be filtered. */
      "filters": Array<components['schemas']['Filter']>;
      "data_stream_type": {
        /** 1 Usage, 2 Events. */
        "id": number;
        "description": string;
      };
      "relation_resolution": {
        /** 1 Own, 2 Children, 3 Both. */
        "id": number;
        "description": string;
      };
      "status": {
        /** 1 Running, 2 Paused, 3 Error, 4 Pending. */
        "id": number;
        "description": string;
        /** What that means here, in plain words. */
        "message": string;
        /** Since when. */
        "since": string;
      };
      /** When it was created. */
      "created": string;
      /** When somebody changed it last. */
      "modified": string;
      "last_error": {
        "code": string;
        "message": string;
        /** When it happened. */
        "at": string;
      } | null;
      "retrying": {
        /** First failure of the run. */
        "since": string;
        /** Tries since then. */
        "tries": number;
        /** Why the last one failed. */
        "message": string;
      } | null;
      "progress": {
        /** Records that the destination took. */
        "delivered": number;
        /** Records that did not pass the filters. */
        "filtered": number;
        /** Records that the destination refused for good; they were set aside. */
        "quarantined": number;
        /** Records that were not delivered within the retention. */
        "expired": number;
        /** Records that wait. */
        "pending": number;
        "oldest_pending_at": string | null;
        "last_delivered_at": string | null;
      };
      /** Of which hours records expired, oldest first. */
      "expired_hours": Array<{
        /** Start of the hour of arrival. */
        "hour": string;
        /** Records that expired. */
        "records": number;
      }>;
    };
    RestAPICredentials: {
      /** Where records are sent: http or https, with a host name. User names and passwords go into a header. */
      "url": string;
      /** The HTTP method of each request. */
      "method"?: "POST" | "PUT" | "PATCH";
      /** Sent with each request, each as name:value. This is where credentials of the receiver go. */
      "headers"?: Array<string>;
      /** The most records in one request, as a JSON array. 1: each record alone, as a bare JSON object. */
      "size"?: number;
      /** Signs each request as Standard Webhooks describes: whsec_ followed by base64, or a text of your own. */
      "signing_secret"?: string;
    };
    AwsKinesisCredentials: {
      /** The AWS region that the resource is in. */
      "region": string;
      /** The Kinesis data stream. The role needs kinesis:PutRecords on it. */
      "stream_name": string;
      /** The IAM role in your account that simstream assumes. Its trust policy must let simstream in with the external id org-<organisation id>. */
      "role_arn": string;
    };
    S3Credentials: {
      /** The AWS region that the resource is in. */
      "region": string;
      /** The bucket that the files go to. The role needs s3:PutObject on its objects, and nothing else. */
      "bucket_name": string;
      /** The IAM role in your account that simstream assumes. Its trust policy must let simstream in with the external id org-<organisation id>. */
      "role_arn": string;
      /** A file is closed when it has this many records … */
      "flush_size"?: number;
      /** … or this long after its first record arrived, in milliseconds, whichever comes first. */
      "rotate_interval"?: number;
      /** With gzip, names of files end in .gz. */
      "compression"?: "none" | "gzip";
      /** Csv: columns to append to those that every file has, of session_id and imsi_id. */
      "extra_columns"?: Array<"session_id" | "imsi_id">;
    };
    EventHubsCredentials: {
      /** Of a shared access policy with the Send right, and with EntityPath: in Azure, copy it from the event hub, not from the namespace. */
      "connection_string": string;
      /** none: events are spread over all partitions. endpoint_id: events of one endpoint go to one partition, in order. */
      "partition_key"?: "none" | "endpoint_id";
    };
    PubSubCredentials: {
      /** The id of the Google Cloud project that the topic is in. */
      "cps_project": string;
      /** The id of the topic, on which simstream’s service account needs the role roles/pubsub.publisher. */
      "cps_topic": string;
      /** none: messages have no order. endpoint_id: subscriptions with message ordering get those of one endpoint in order. */
      "ordering_key"?: "none" | "endpoint_id";
    };
    KeenIOCredentials: {
      /** The id of the project, from its Access page. */
      "project_id": string;
      /** A key of the project that may write, from its Access page. */
      "write_key": string;
      /** The event collection that the records go to; Keen creates it with the first record. */
      "collection_name": string;
      /** The most records of one request. */
      "size"?: number;
    };
    DatadogCredentials: {
      /** An API key of the Datadog organisation, from Organization Settings → API Keys. Not an application key. */
      "api_key": string;
      /** The Datadog site that the organisation is on. A key is valid on its own site only. */
      "region"?: "US" | "US3" | "US5" | "EU" | "AP1" | "AP2" | "US1FED";
      /** Usage: also send messages, as endpoint.sms, endpoint.sms_tx and endpoint.sms_rx. Otherwise they are left out. */
      "include_sms"?: boolean;
      /** Usage: Historical Metrics Ingestion is on in Datadog for endpoint.*, so send points that are more than an hour old too. Otherwise they are set aside. */
      "historical_metrics"?: boolean;
    };
    Filter: {
      /** `event_type_id` or `alert`. */
      "field"?: string;
      /** Event type ids, as a list; or true or false for alert. Any of them fits. */
      "value"?: unknown;
      /** `in` (the default) or `not_in`. */
      "op"?: string;
      /** Filters; joined to the rest of the list by OR. At the top only. */
      "or"?: unknown;
      /** Filters that must all accept a record. */
      "all"?: unknown;
      /** Filters of which one must accept a record. */
      "any"?: unknown;
      /** A filter that must not accept a record. */
      "not"?: unknown;
    };
    StateChange: {
      "at": string;
      "status": {
        "id": number;
        "description": string;
      };
      "message": string;
      /** `user:<name>`, `application:<id>`, `operator` or `simstream`. */
      "actor": string;
    };
    CreateDataStream: {
      /** Free text. */
      "name"?: string;
      "filters"?: Array<components['schemas']['Filter']>;
      "relation_resolution"?: {
        /** Whose records: 1 Own, 2 Children, 3 Both; over the tree of organisations. Default 1. */
        "id": number | string;
        /** Ignored. */
        "description"?: unknown;
      };
      "status"?: {
        /** 1 Running or 2 Paused. A paused stream keeps its records for later. */
        "id": number | string;
        /** Ignored. */
        "description"?: unknown;
      };
      "data_stream_type": {
        /** 1 Usage or 2 Events. */
        "id": number | string;
        /** Ignored. */
        "description"?: unknown;
      };
      "destination": components['schemas']['Destination'];
      /** UTC time within the retention: records that arrived since then are delivered first. Default: now. */
      "start_from"?: string;
    };
    Destination: {
      /** RestAPI, AwsKinesis, S3, EventHubs, PubSub, KeenIO, Datadog */
      "connection_type": string;
      /** Secrets are masked (`***`) in answers; a mask that is sent back keeps the stored secret. */
      "credentials": components['schemas']['RestAPICredentials'] | components['schemas']['AwsKinesisCredentials'] | components['schemas']['S3Credentials'] | components['schemas']['EventHubsCredentials'] | components['schemas']['PubSubCredentials'] | components['schemas']['KeenIOCredentials'] | components['schemas']['DatadogCredentials'];
      /** `Json` or `Csv`, as the connection type has it. */
      "format"?: string;
    };
    TestDataStream: {
      /** Free text. */
      "name"?: string;
      "filters"?: Array<components['schemas']['Filter']>;
      "relation_resolution"?: {
        /** Whose records: 1 Own, 2 Children, 3 Both; over the tree of organisations. Default 1. */
        "id": number | string;
        /** Ignored. */
        "description"?: unknown;
      };
      "status"?: {
        /** 1 Running or 2 Paused. A paused stream keeps its records for later. */
        "id": number | string;
        /** Ignored. */
        "description"?: unknown;
      };
      "data_stream_type": {
        /** 1 Usage or 2 Events. */
        "id": number | string;
        /** Ignored. */
        "description"?: unknown;
      };
      "destination": components['schemas']['Destination'];
      /** UTC time within the retention: records that arrived since then are delivered first. Default: now. */
      "start_from"?: string;
      /** A data stream whose stored secrets masks (`***`) stand for. */
      "id"?: string;
    };
    PatchDataStream: {
      /** Free text. */
      "name"?: string;
      "filters"?: Array<components['schemas']['Filter']>;
      "relation_resolution"?: {
        /** Whose records: 1 Own, 2 Children, 3 Both; over the tree of organisations. Default 1. */
        "id": number | string;
        /** Ignored. */
        "description"?: unknown;
      };
      "status"?: {
        /** 1 Running or 2 Paused. A paused stream keeps its records for later. */
        "id": number | string;
        /** Ignored. */
        "description"?: unknown;
      };
      "data_stream_type"?: {
        /** 1 Usage or 2 Events. */
        "id": number | string;
        /** Ignored. */
        "description"?: unknown;
      };
      "destination"?: components['schemas']['Destination'];
    };
    Node: {
      /** Its host’s name and the port that it listens on; a node that is started again has it again. */
      "name": string;
      /** Of this start of its process. */
      "session": string;
      /** Whether it is the node that answers. */
      "self": boolean;
      /** `leaving`: hands over what it holds. `silent`: nothing was heard of it for some seconds. */
      "state": "alive" | "leaving" | "silent";
      "started": string;
      "version": string;
      /** What it holds. */
      "partitions": Array<{
        "partition": number;
        /** Grows with each holder of the partition. */
        "epoch": number;
        "since": string;
      }>;
    };
    RecordFault: {
      /** Which record, from 0. */
      "index": number;
      /** The field, as the samples name it; empty: the record as a whole. */
      "path": string;
      "message": string;
    };
    Error: {
      "error_code": number;
      "error_token": string;
      /** For people: what is wrong, where, and what to do. */
      "message": string;
      /** One entry per fault; `path` is a JSON pointer into the body or the name of a parameter. */
      "errors"?: Array<{
        "error_code"?: number;
        "error_token"?: string;
        "message"?: string;
        "path"?: string;
      }>;
    };
  };
}
