/** Drawings in a box of 24 by 24, by the name of what they stand for. */
const PATHS: Readonly<Record<string, string>> = {
  RestAPI:
    'M9 8a3.5 3.5 0 1 1 5 3.2l2.6 4.6M9.5 9.8 7 14.5M4.2 13.6a3.4 3.4 0 1 0 5.6 2.6h6.4M15 13.6a3.4 3.4 0 1 1 0 5.8',
  AwsKinesis: 'M4 6h16M4 6v4l16 4v4H4M4 12h5M15 12h5M4 18h16',
  S3: 'M5 6c0-1.7 14-1.7 14 0s-14 1.7-14 0zM5 6l1.6 12.4c.5 1.5 10.3 1.5 10.8 0L19 6M11 12h4',
  KeenIO: 'M5 19V9M10 19V5M15 19v-7M20 19v-4M3 21h18',
  Datadog: 'M4 17l4-6 4 3 4-8 4 5M4 21h16',
  EventHubs:
    'M12 4v4M12 16v4M4 12h4M16 12h4M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM6 6l2 2M18 18l-2-2M18 6l-2 2M6 18l2-2',
  PubSub:
    'M12 4.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM6 14.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM18 14.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM11 8.3l-4 6.4M13 8.3l4 6.4M8 16.5h8',
  stream: 'M4 7h8a4 4 0 0 1 4 4v2a4 4 0 0 0 4 4M4 12h6M4 17h8',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  check: 'M5 12.5 10 17l9-10',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1 1M17.4 17.4l1 1M18.4 5.6l-1 1M6.6 17.4l-1 1',
  moon: 'M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.5 9.5z',
};

export function Icon({ name, size = 20 }: { readonly name: string; readonly size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name] ?? PATHS.stream} />
    </svg>
  );
}
