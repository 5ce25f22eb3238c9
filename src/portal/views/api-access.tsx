export default function ApiAccess() {
  return <p>API</p>;
}
