// What a kernel that computes number by number reads and writes at once: four numbers, where what there is is a multiple of four.

@if(numbers_by_quads) alias Numbers = vec4f;
@else alias Numbers = f32;

@if(numbers_by_quads) alias Integers = vec4i;
@else alias Integers = i32;
