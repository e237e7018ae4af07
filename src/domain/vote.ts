/**
 * Majority vote of an ensemble (paper, section 5): the label most members chose; a tie goes to the label whose
 * best-ranked member is most accurate. `votes` are class indexes, the most accurate member first.
 */
export function majorityVote(votes: ArrayLike<number>): number {
  let winner = votes[0] as number;
  let max = 0;
  for (let i = 0; i < votes.length; i++) {
    const label = votes[i] as number;
    let count = 0;
    for (let j = 0; j < votes.length; j++) if (votes[j] === label) count++;
    if (count > max) {
      max = count;
      winner = label;
    }
  }
  return winner;
}
