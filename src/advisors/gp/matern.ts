/**
 * The Matérn 5/2 kernel at the squared distance r², already divided by the length scales (Rasmussen and Williams 2006, equation
 * 4.17): k = (1 + √5 r + 5/3 r²) e^(−√5 r).
 */
export function matern(r2: number): number {
  const s = Math.sqrt(5 * r2);
  return (1 + s + (s * s) / 3) * Math.exp(-s);
}

/** Its slope in a length scale: ∂k/∂log ℓ_d = maternSlope(r²) · (Δ_d / ℓ_d)², where maternSlope = 5/3 (1 + √5 r) e^(−√5 r). */
export function maternSlope(r2: number): number {
  const s = Math.sqrt(5 * r2);
  return (5 / 3) * (1 + s) * Math.exp(-s);
}
