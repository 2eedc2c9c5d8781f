// A browser that knows no Ed25519, as many WebViews are.
for (const name of ["generateKey", "importKey", "sign", "verify"]) {
  const real = SubtleCrypto.prototype[name];
  SubtleCrypto.prototype[name] = function (...asked) {
    if (asked.some((each) => each === "Ed25519" || each?.name === "Ed25519")) return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
    return real.apply(this, asked);
  };
}
