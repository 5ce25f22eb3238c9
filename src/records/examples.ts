import type { RecordKind } from './block.ts';

/** One complete record of each kind, for the documentation. A test ingests them and compares what is delivered. */
export const RECORD_EXAMPLES: Readonly<Record<RecordKind, string>> = {
  usage: `{
  "id": 7157330712412489021,
  "traffic_type": {"id": 5, "description": "Data"},
  "start_timestamp": "2026-03-17T06:02:48Z",
  "end_timestamp": "2026-03-17T06:03:33.118Z",
  "organisation": {"id": 70412, "name": "Nordlicht Metering"},
  "endpoint": {"id": 41806233, "name": "Meter 0017", "ip_address": "10.192.4.17", "tags": "water,north", "imei": "352099001761481", "balance": null},
  "sim": {"id": 2210084, "iccid": "8999942310000004410", "msisdn": "882285100004410", "production_date": "2025-09-01T10:00:00Z"},
  "imsi_id": 3019973,
  "imsi": "901430100004410",
  "operator": {"id": 3, "name": "Norsk Mobil", "mnc": "01", "country": {"id": 74, "mcc": "242", "name": "Norway"}},
  "tariff": {"id": 398, "name": "Meters Europe", "ratezone": {"id": 2601, "name": "Zone 1"}},
  "volume": {"total": 0.134358, "rx": 0.101240, "tx": 0.033118},
  "cost": 0.0013435800,
  "currency": {"id": 1, "code": "EUR", "symbol": "€"},
  "session_id": "0f0c4fb0-6d5e-4b0e-9a51-7a5f5f4b9a10"
}`,
  event: `{
  "id": 14314661424824978042,
  "timestamp": "2026-03-17T06:02:48Z",
  "event_type": {"id": 3, "description": "Create PDP Context"},
  "description": "New PDP Context activated",
  "event_severity": {"id": 0, "description": "INFO"},
  "alert": false,
  "event_source": {"id": 0, "description": "Network"},
  "organisation": {"id": 70412, "name": "Nordlicht Metering"},
  "user": null,
  "endpoint": {"id": 41806233, "name": "Meter 0017", "ip_address": "10.192.4.17", "tags": "water,north", "imei": "352099001761481"},
  "sim": {"id": 2210084, "iccid": "8999942310000004410", "msisdn": "882285100004410", "production_date": "2025-09-01T10:00:00Z"},
  "imsi": {"id": 3019973, "imsi": "901430100004410", "import_date": "2025-09-01T10:00:00Z"},
  "detail": {"session_id": "0f0c4fb0-6d5e-4b0e-9a51-7a5f5f4b9a10", "pdp_context": {"apn": "iot", "rat_type": 6}}
}`,
  sms: `{
  "id": 9143314661424824978,
  "submit_date": "2026-03-17T06:02:48Z",
  "organisation": {"id": 70412, "name": "Nordlicht Metering"},
  "endpoint": {"id": 41806233, "name": "Meter 0017"},
  "source_address": "882285100004410",
  "dest_address": "338",
  "payload": "level=42;battery=3.61",
  "dcs": 0,
  "pid": 0
}`,
};
