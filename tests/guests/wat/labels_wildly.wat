;; `classify` answers with labels that should not be; `top-k` says which. Three labels: 3, scores of 42, -1 and 99;
;; 4, of 0.25, 0.5 and 0.125; 5, of which the second is no number; 6, of 1 and more by one bit; 7, one whose name has
;; two thousand letters; 8, ten million labels without a name; 9, of 1, 0.5 and 0.5, as it should be; 2, the same
;; three.
;;
;; Promise: what the contract says of labels holds. Expected: `guest.answer`; for 8 `limit.output`; for 9 labels.
(component
  (core module $guest
    (memory (export "memory") 3)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    (data (i32.const 512) "abc")
    (func $label (param $at i32) (param $length i32) (param $score f32)
      (i32.store (local.get $at) (i32.const 512))
      (i32.store offset=4 (local.get $at) (local.get $length))
      (f32.store offset=8 (local.get $at) (local.get $score)))
    (func $labels (param $count i32) (param $first f32) (param $second f32) (param $third f32) (result i32)
      (call $label (i32.const 256) (i32.const 1) (local.get $first))
      (call $label (i32.const 268) (i32.const 1) (local.get $second))
      (call $label (i32.const 280) (i32.const 1) (local.get $third))
      (i32.store (i32.const 132) (i32.const 256))
      (i32.store (i32.const 136) (local.get $count))
      (i32.const 128))
    (func (export "classify")
      (param i32 i32 i32 i32 i32) (param $top-k i32) (result i32)
      (if (i32.eq (local.get $top-k) (i32.const 3))
        (then (return (call $labels (i32.const 3) (f32.const 42) (f32.const -1) (f32.const 99)))))
      (if (i32.eq (local.get $top-k) (i32.const 4))
        (then (return (call $labels (i32.const 3) (f32.const 0.25) (f32.const 0.5) (f32.const 0.125)))))
      (if (i32.eq (local.get $top-k) (i32.const 5))
        (then (return (call $labels (i32.const 3) (f32.const 0.5) (f32.const nan) (f32.const 0.125)))))
      (if (i32.eq (local.get $top-k) (i32.const 6))
        (then (return (call $labels (i32.const 3)
          (f32.reinterpret_i32 (i32.const 0x3f800001)) (f32.const 0.5) (f32.const 0.125)))))
      (if (i32.eq (local.get $top-k) (i32.const 7))
        (then
          (memory.fill (i32.const 512) (i32.const 97) (i32.const 2000))
          (drop (call $labels (i32.const 1) (f32.const 1) (f32.const 0) (f32.const 0)))
          (call $label (i32.const 256) (i32.const 2000) (f32.const 1))
          (return (i32.const 128))))
      (if (i32.eq (local.get $top-k) (i32.const 8))
        (then
          (drop (memory.grow (i32.const 1900)))
          (i32.store (i32.const 132) (i32.const 65536))
          (i32.store (i32.const 136) (i32.const 10000000))
          (return (i32.const 128))))
      (call $labels (i32.const 3) (f32.const 1) (f32.const 0.5) (f32.const 0.5)))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest))

  ;; contract: image-classification
)
