// Element types of elementwise kernels. The host chooses vec4 where the number of values is a multiple of 4.

@if(elements_as_vec4) alias Element = vec4f;
@else alias Element = f32;

@if(elements_as_vec4) alias IntegerElement = vec4i;
@else alias IntegerElement = i32;
