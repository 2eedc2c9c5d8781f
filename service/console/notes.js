/** Signed notes (c2sp.org/signed-note) in the browser: whether a key's signature stands under a text. Read by pages that show signed files. */

const bytesOf = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));

/**
 * "good", "wrong" (not signed by the key, or changed since), or "unknown" where this browser knows no Ed25519.
 *
 * key: <name>+<8 hexadecimal digits>+<base64 of 0x01 and 32 bytes>
 */
export async function signedBy(note, key) {
  const [name, , ...coded] = key.split("+");
  const whole = bytesOf(coded.join("+"));
  const at = note.lastIndexOf("\n\n");
  const text = note.slice(0, at + 1);
  const lines = note.slice(at + 2).split("\n");
  const id = await idOf(name, whole);
  let verifier;
  try {
    verifier = await crypto.subtle.importKey("raw", whole.slice(1), "Ed25519", false, ["verify"]);
  } catch {
    return "unknown";
  }
  for (const line of lines) {
    const [dash, signer, signature] = line.split(" ");
    if (dash !== "—" || signer !== name) continue;
    const signed = bytesOf(signature);
    if (id.some((each, place) => each !== signed[place])) continue;
    return (await crypto.subtle.verify("Ed25519", verifier, signed.slice(4), new TextEncoder().encode(text))) ? "good" : "wrong";
  }
  return "wrong";
}

/** The four bytes by which a signature line names its key: SHA-256 of name, line feed, algorithm and key. */
async function idOf(name, key) {
  const named = new TextEncoder().encode(`${name}\n`);
  const hashed = new Uint8Array([...named, ...key]);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", hashed)).slice(0, 4);
}
