export default function Details({ id }: { readonly id: string }) {
  return <p>{id}</p>;
}
