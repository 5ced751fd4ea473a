// Parameters and windows that pooling and its gradient share: windows of any size, stride and padding, or those of adaptive pooling.

struct Params {
  sample_count: i32,
  in_height: i32,
  in_width: i32,
  out_height: i32,
  out_width: i32,
  channels: i32,
  size_y: i32,
  size_x: i32,
  stride_y: i32,
  stride_x: i32,
  pad_top: i32,
  pad_left: i32,
  pad_bottom: i32,
  pad_right: i32,
}

@group(0) @binding(0) var<uniform> params: Params;

// Kinds of pooling: the maximum, the mean over the window's pixels, that over its padding too, and the mean over adaptive windows.
const MAXIMUM = 0;
const MEAN = 1;
const PADDED_MEAN = 2;
const ADAPTIVE = 3;

// Which of them is computed; set by the host.
const KIND = 0;

// A window's first row and the row after its last, or the same of columns, and the number of them that a padded mean counts.
struct Extent {
  first: i32,
  end: i32,
  counted: i32,
}

// Window `at` of `outputs` along an axis of `inputs` rows or columns.
fn find_extent(at: i32, inputs: i32, outputs: i32, size: i32, stride: i32, before: i32, after: i32) -> Extent {
  if KIND == ADAPTIVE {
    let first = at * inputs / outputs;
    let end = ((at + 1) * inputs + outputs - 1) / outputs;
    return Extent(first, end, end - first);
  }
  let first = at * stride - before;
  let end = min(first + size, inputs + after);
  let inside = max(first, 0);
  return Extent(inside, min(end, inputs), select(min(end, inputs) - inside, end - first, KIND == PADDED_MEAN));
}

fn find_rows(at: i32) -> Extent {
  return find_extent(at, params.in_height, params.out_height, params.size_y, params.stride_y, params.pad_top, params.pad_bottom);
}

fn find_columns(at: i32) -> Extent {
  return find_extent(at, params.in_width, params.out_width, params.size_x, params.stride_x, params.pad_left, params.pad_right);
}
