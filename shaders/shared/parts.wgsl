// Parts of a packed row's segments, of at most 256 elements. The error of a float32 sum grows with its length, so each part is summed from
// zero, one element after another, and the sums of parts are added up in order. A part is a vec4u: offset and length in the row, 1 where
// it begins a new `held` sum, and how it ends, one of:

const GOES_ON = 0u;      // its sum is added to `held`: the parts of a factored segment's first factor a, and of a plain segment but its last
const ADDS = 1u;         // the same, and then `held` is added to the result: the last part of a plain segment
const MULTIPLIES = 2u;   // its sum times `held` is added to the result: the parts of a factored segment's second factor d, since
                         // (a . a') (d . d') is the sum over parts of d
