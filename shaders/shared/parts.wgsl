// How a part of a segment of a packed row ends. Segments come in parts of at most 256 numbers, and the error of a float32 sum grows with its
// length: so each part is summed from zero, one number after another, and the sums of parts are added up in order.

const GOES_ON = 0u;      // held is the part's sum, plus that of the parts before unless it begins a sum: a's own, of a factored segment
const ADDS = 1u;         // the same, and held is added to the result: the end of a plain segment
const MULTIPLIES = 2u;   // held times the part's sum is added to the result: d's, of a factored segment, since (a . a') (d . d') may be
                         // added up over parts of d
