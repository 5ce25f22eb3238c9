/** Drawings in a box of 24 by 24, by the name of their meaning; connection types bring their own. */
const PATHS: Readonly<Record<string, string>> = {
  stream: 'M4 7h8a4 4 0 0 1 4 4v2a4 4 0 0 0 4 4M4 12h6M4 17h8',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  check: 'M5 12.5 10 17l9-10',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1 1M17.4 17.4l1 1M18.4 5.6l-1 1M6.6 17.4l-1 1',
  moon: 'M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.5 9.5z',
};

interface IconProps {
  readonly name?: string;
  /** The path of a connection type's own icon. */
  readonly path?: string | undefined;
  readonly size?: number;
}

export function Icon({ name = 'stream', path, size = 20 }: IconProps) {
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
      <path d={path ?? PATHS[name] ?? PATHS.stream} />
    </svg>
  );
}
