;; `embed` fails with a code that is none; the number of texts says which: 1, `input.`; 2, `input....---`; 3,
;; `input.Image`; 4, one of ten thousand letters after `input.`; 5, `input.-`. 6, `input.image-2`, which is one.
;;
;; Promise: codes are dotted names. Expected: `guest.error`; for 6 that code.
(component
  (core module $guest
    (memory (export "memory") 1)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    (data (i32.const 256) "input.")
    (data (i32.const 288) "input....---")
    (data (i32.const 320) "input.Image")
    (data (i32.const 352) "input.-")
    (data (i32.const 384) "input.image-2")
    (data (i32.const 416) "why")
    (data (i32.const 8192) "input.")
    (func $fail (param $code i32) (param $length i32) (result i32)
      (i32.store (i32.const 128) (i32.const 1))
      (i32.store (i32.const 132) (local.get $code))
      (i32.store (i32.const 136) (local.get $length))
      (i32.store (i32.const 140) (i32.const 416))
      (i32.store (i32.const 144) (i32.const 3))
      (i32.const 128))
    (func (export "embed") (param $texts i32) (param $count i32) (result i32)
      (memory.fill (i32.const 8198) (i32.const 97) (i32.const 10000))
      (if (i32.eq (local.get $count) (i32.const 1))
        (then (return (call $fail (i32.const 256) (i32.const 6)))))
      (if (i32.eq (local.get $count) (i32.const 2))
        (then (return (call $fail (i32.const 288) (i32.const 12)))))
      (if (i32.eq (local.get $count) (i32.const 3))
        (then (return (call $fail (i32.const 320) (i32.const 11)))))
      (if (i32.eq (local.get $count) (i32.const 4))
        (then (return (call $fail (i32.const 8192) (i32.const 10006)))))
      (if (i32.eq (local.get $count) (i32.const 5))
        (then (return (call $fail (i32.const 352) (i32.const 7)))))
      (call $fail (i32.const 384) (i32.const 13)))
    (func (export "cleanup") (param i32))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 20480))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest))

  ;; contract: text-embedding
)
