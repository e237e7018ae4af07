/**
 * Majority vote of an ensemble (paper, section 5): the label most members chose; a tie goes to the label whose
 * best-ranked member is most accurate. `votes` are class indexes, the most accurate member first.
 */
export function majorityVote(votes: readonly number[]): number {
  let winner = -1;
  let max = 0;
  for (const label of votes) {
    let count = 0;
    for (const other of votes) if (other === label) count++;
    if (count > max) {
      max = count;
      winner = label;
    }
  }
  return winner;
}

/** The vote of each row; `ballots` are the class indexes of each member, the most accurate member first. */
export const majorityVotes = (ballots: readonly Uint16Array[], rows: number): Uint16Array =>
  Uint16Array.from({ length: rows }, (_, row) => majorityVote(ballots.map((ballot) => ballot[row] ?? -1)));
